"""A conversation as JSON lines: what `decode --json` says of it, and no more than a clipboard takes."""

from __future__ import annotations

import json

import pytest

from inspector.model.endpoint import Transport
from inspector.protocols import by_name
from inspector.protocols.api import Protocol
from inspector.views.handing import lines
from inspector.views.handing.lines import TooLongError, json_lines
from inspector.views.json.messages import messages
from inspector.views.json.packets import packets
from inspector.views.ladder.ends import Conversation
from tests.support.captures.traces import open_trace


def test_messages_stand_in_the_order_of_their_protocols() -> None:
    with open_trace("websocket") as trace:
        found = [json.loads(line) for line in json_lines(trace, Conversation("tcp", 0)).splitlines()]
        expected = [one for name in ("http", "websocket") for one in messages(trace, protocol(name))]
        assert found == json.loads(json.dumps(expected))


def protocol(name: str) -> Protocol:
    found = by_name(name)
    assert found is not None
    return found


def test_pairs_name_each_other_within_the_conversation() -> None:
    with open_trace("http-connections") as trace:
        text = json_lines(trace, Conversation("tcp", 1))
        asked, answered = (json.loads(line) for line in text.splitlines())
        assert asked["http.request.method"] == "POST" and asked["response_number"] == 2
        assert answered["request_number"] == 1 and answered["tcp.stream"] == 1
        assert asked["response_in"] == answered["frames"][-1]


@pytest.mark.parametrize(("name", "kind"), [("tcp", "tcp"), ("udp", "udp")])
def test_packets_where_there_are_no_messages(name: str, kind: Transport) -> None:
    with open_trace(name) as trace:
        found = [json.loads(line) for line in json_lines(trace, Conversation(kind, 0)).splitlines()]
        assert found == json.loads(json.dumps(list(packets(trace, trace.rows_of(kind, 0)))))


def test_too_much_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 3)
    with open_trace("tcp") as trace, pytest.raises(TooLongError, match="ctrl"):
        json_lines(trace, Conversation("tcp", 0))
