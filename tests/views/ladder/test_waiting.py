"""The call that an endpoint is held before, at the foot of a margin."""

import pytest

from inspector.model.records import Event
from inspector.views.ladder.layout import RIGHT
from inspector.views.ladder.waiting import Waiting

SOCKET = "socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP)"


def waiting(*calls: str) -> Waiting:
    held = Waiting()
    held.update([Event(at, "waiting", "", "server", 1, (("call", call), ("tid", str(at))))
                 for at, call in enumerate(calls)])
    return held


@pytest.mark.parametrize(("width", "text"), [
    (80, f"▸ {SOCKET}"), (31, "▸ socket(AF_INET6, SOCK_STREAM)"), (17, "▸ socket(TCP)"), (10, "▸ socket()")])
def test_a_held_call_is_never_cut_in_its_middle(width: int, text: str) -> None:
    assert waiting(SOCKET).text(RIGHT, width) == text


def test_threads_beside_it_are_counted_where_there_is_room() -> None:
    held = waiting("accept(3)", "recv(4, 65536)")
    assert held.text(RIGHT, 40) == "▸ recv(4, 65536) +1 thread"
    assert held.text(RIGHT, 22) == "▸ recv(4, 65536)  +1"
    assert held.text(RIGHT, 14) == "▸ recv()  +1"
    assert len(held.text(RIGHT, 5)) == 5


def test_nothing_is_held() -> None:
    assert Waiting().text(RIGHT, 20) == ""
