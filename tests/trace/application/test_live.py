"""What a conversation speaks: the same live, in however small pieces it comes, and out of a file."""

from __future__ import annotations

from itertools import product

from inspector.protocols import REGISTRY
from inspector.trace.application.engine import Engine
from tests.support.fuzzing import seeds
from tests.support.fuzzing.conversation import Heard, Part, cut, input_of, messages_of, read, read_input
from tests.support.tiers import sweep

HTTP_REQUEST = b"GET /abc HTTP/1.1\r\nHost: a\r\n\r\n"
HTTP_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
DIALOGUES: dict[str, tuple[str, list[tuple[int, bytes]]]] = {
    "inline": ("redis", [(0, b"GET key\r\n"), (1, b"$5\r\nhello\r\n"), (0, b"SET key 5\r\n"),
                         (1, b"+OK\r\n")]),
    "two at once": ("redis", [(0, b"SET a b\r\nGET a\r\n"), (1, b"+OK\r\n$1\r\nb\r\n")]),
    "an error first": ("redis", [(0, b"GET a b c\r\n"), (1, b"-ERR wrong\r\n"), (0, b"GET a\r\n"),
                                 (1, b"$1\r\nb\r\n")]),
    "nonsense behind": ("redis", [(0, b"GET key\r\n"), (1, b"$5\r\nhello\r\nNONSENSE\r\n")]),
    "unknown to HTTP": ("http", [(0, b"*1\r\n$3\r\nFOO\r\n"), (1, b"HTTP/1.1 400 Bad\r\n\r\n")]),
    "unknown": ("redis", [(0, b"*1\r\n$3\r\nFOO\r\n"), (1, b"-ERR unknown command\r\n")]),
    "no answer": ("redis", [(0, b"*1\r\n$3\r\nFOO\r\n")]),
    "a greeting": ("", [(1, b"+OK hi\r\n"), (0, b"USER x\r\n"), (1, b"+OK\r\n")]),
    "HTTP": ("http", [(0, HTTP_REQUEST), (1, HTTP_ANSWER)]),
    "a long target": ("http", [(0, b"GET /" + b"a" * 3000 + HTTP_REQUEST[4:]), (1, HTTP_ANSWER)]),
    "a line that never ends": ("http", [(0, b"GET /abc")]),
}
SIZES = [[1], [3], [7], [20, 900], [4000]]
CASES = list(product(DIALOGUES, (80, 6379, 40001)))
LONGEST = ("a long target", 40001)    # of 3,000 bytes: fewer pieces here, byte by byte where it is thorough


def usual(case: tuple[str, int]) -> bool:
    """The long one at one port, all others at each."""
    return case[0] != LONGEST[0] or case == LONGEST


@sweep(("name", "port"), CASES, usual)
def test_a_conversation_is_the_same_live_in_any_pieces(name: str, port: int) -> None:
    wanted, turns = DIALOGUES[name]
    given, known = read_input(input_of(port, turns)), seeds.secrets()
    once = read(given, known, sizes=[1 << 14])
    if not (name == "a greeting" and port == 6379):            # there it may be an answer of Redis
        assert [layer.protocol.name for layer in once.layers] == ([wanted] if wanted else [])
    whole = messages_of(once)
    for sizes in SIZES[3:] if (name, port) == LONGEST else SIZES:
        assert messages_of(read(given, known, sizes=sizes, live=True)) == whole, sizes


@sweep(("name", "port"), CASES, usual)
def test_nothing_is_said_before_it_is_known(name: str, port: int) -> None:
    """What was said at any moment is what is said in the end."""
    known = seeds.secrets()
    heard = Heard(known, begun=True)
    engine, protocol = Engine(heard, (40000, port), REGISTRY, None), ""
    sizes = [1, 90] if (name, port) == LONGEST else [1]
    for part in cut([Part(end, data) for end, data in DIALOGUES[name][1]], sizes):
        heard.add(part)
        engine.update(heard.known.__getitem__)
        now = engine.layers[-1].protocol.name if engine.layers else ""
        assert protocol in ("", now)
        protocol = now
    assert protocol in ("", DIALOGUES[name][0])


def test_a_first_line_that_the_capture_cut_is_a_request_of_http() -> None:
    known = seeds.secrets()
    heard = Heard(known, begun=True)
    engine = Engine(heard, (40000, 80), REGISTRY, None)
    heard.add(Part(0, b"GET /abc"))
    engine.update(heard.known.__getitem__)
    assert engine.layers == []
    heard.add(Part(0, b"def HTTP/1.1\r\n", lost=True))
    engine.update(heard.known.__getitem__)
    assert [layer.protocol.name for layer in engine.layers] == ["http"]
