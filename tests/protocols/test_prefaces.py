"""What stands in front of another protocol: the PROXY header, and the conversation with a SOCKS proxy."""

from __future__ import annotations

import pytest

from tests.protocols.test_redis import Turn, exchange, ids

GREETING: Turn = (0, b"\5\1\0")
REQUEST: Turn = (0, b"\5\1\0\1\x7f\0\0\1\0\x50")


@pytest.mark.parametrize(("turns", "found"), [
    ([(0, b"PROXY TCP4 nonsense\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      (1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")], ["proxy.invalid-header"]),
    ([(0, b"\5\1\2"), (1, b"\5\xff")], ["socks.no-method"]),
    ([(0, b"\5\1\2"), (1, b"\5\2"), (0, b"\1\3ada\3pwd"), (1, b"\1\1")], ["socks.login-failed"]),
    ([GREETING, (1, b"\5\0"), REQUEST], ["socks.unanswered"]),
    ([GREETING, (1, b"\5\0"), REQUEST, (1, b"\5\5\0\1\0\0\0\0\0\0")], ["socks.refused"]),
    ([GREETING, (1, b"\5\0"), REQUEST, (1, b"\5\0\0\1\0\0\0\0\0\0")], []),
])
def test_planted_faults(turns: list[Turn], found: list[str]) -> None:
    assert ids(exchange(*turns, port=1080)) == found


@pytest.mark.parametrize(("turns", "waits"), [
    ([GREETING], [0]), ([GREETING, (1, b"\5\0")], []), ([GREETING, (1, b"\5\0"), REQUEST], [2]),
    ([GREETING, (1, b"\5\0"), REQUEST, (1, b"\5\0\0\1\0\0\0\0\0\0"), (0, b"inside")], []),
])
def test_what_the_proxy_owes_an_answer(turns: list[Turn], waits: list[int]) -> None:
    assert list(exchange(*turns, port=1080).layers[0].decoder.unanswered()) == waits
