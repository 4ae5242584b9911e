"""Messages of a conversation that is still being decoded: nothing is told as if it were all."""

from __future__ import annotations

from pathlib import Path

from inspector.protocols.websocket.frame import CONTINUATION, TEXT
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversations.list import ConversationList
from inspector.views.line.spans import cell_width, plain
from tests.support.captures.growth import KINDS
from tests.support.captures.tcp import CAPTURES, cut_http
from tests.support.captures.websocket import UPGRADE, client, exchange


def test_the_titles_say_that_more_messages_come(tmp_path: Path) -> None:
    path = tmp_path / "large.pcapng"
    path.write_bytes(KINDS["requests_in_turn"](300))
    with Trace.open(path) as trace:
        trace.finish()
        trace.by_turns()
        messages = MessageList(trace, 0)
        assert 0 < trace.share(0) < 1 and messages.complete
        assert plain(messages.title(80)).endswith(f"  {trace.share(0):.0%} decoded, more come")
        messages.choose(search="qqq")
        messages.update()
        assert not messages.count
        assert messages.none_words() == (
            f"Still looking for qqq: {trace.share(0):.1%} of 606 packets looked at."
            " None is let through so far. Escape stops it.")
        while not trace.advance(0, 1.0):
            pass
        while messages.update() or not messages.complete:
            pass
        assert "decoded" not in plain(messages.title(80))
        assert messages.none_words() == "No message of 600 contains \"qqq\". Escape shows all of them."


def test_a_message_whose_end_is_not_decoded_yet_is_not_called_unfinished(tmp_path: Path) -> None:
    parts = [client(b"x", CONTINUATION if n else TEXT, fin=n == 399) for n in range(400)]
    path = tmp_path / "fragments.pcapng"
    exchange(*UPGRADE, *parts).trace.save(path)
    with Trace.open(path) as trace:
        trace.finish()
        trace.by_turns()
        messages = MessageList(trace, 0)
        last = plain(messages.line(messages.count - 1, 100))
        assert 0 < trace.share(0) < 1 and "not all decoded" in last and "unfinished" not in last
        while not trace.advance(0, 1.0):
            pass
        messages.update()
        last = plain(messages.line(messages.count - 1, 100))
        assert "400 frames" in last and "decoded" not in last and "unfinished" not in last


def test_that_answers_were_cut_is_said_where_they_would_stand(tmp_path: Path) -> None:
    with Trace.open(cut_http(tmp_path / "cut.pcapng", kept=11)) as trace:
        trace.finish()
        messages = MessageList(trace, 0)
        assert messages.count == 1
        for width in (80, 120):
            title = plain(messages.title(width))
            assert title.rstrip().endswith("the capture cut the answers off") and cell_width(title) == width
        lines = ConversationList(trace)
        lines.narrow("http.response")
        while not lines.complete:
            lines.update()
        assert lines.none_words(growing=False).endswith("The capture lacks something: 2 packets cut short.")
    with Trace.open(CAPTURES / "sessions/python-http.pcapng") as trace:
        trace.finish()
        assert "cut" not in plain(MessageList(trace, 0).title(120))
