"""A session's description: defaults, what cannot be, and the messages a script is written in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.messages import Message, Request, parse_message, parse_request, written_request
from inspector.model.spec import SessionSpec, SpecError, event_texts, push_messages
from inspector.sessions.kinds import NAMES, resolved

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("kind", NAMES)
def test_defaults_are_filled_in_and_survive_the_way_through_json(kind: Any) -> None:
    spec = resolved(SessionSpec(kind=kind))
    assert spec.port and spec.messages
    assert SessionSpec.from_json(spec.to_json()) == spec == resolved(spec)


def test_push_over_http_asks_for_the_stream() -> None:
    assert resolved(SessionSpec(kind="http", behaviour="push")).messages == ("GET /push",)
    assert resolved(SessionSpec(kind="http", behaviour="push", messages=("GET /",))).messages == ("GET /",)


def test_pushed_messages() -> None:
    spec = SessionSpec(behaviour="push", push_count=2)
    assert push_messages(spec) == event_texts(spec) == ("push 1 of 2", "push 2 of 2")
    assert push_messages(SessionSpec(behaviour="echo")) == ()


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"kind": "smtp"}, "There is no session kind 'smtp'; choose from tcp, udp"),
        ({"behaviour": "loud"}, "There is no behaviour 'loud'"),
        ({"ending": "bang"}, "There is no ending 'bang'"),
        ({"end_by": "nobody"}, "There is no role 'nobody'"),
        ({"port": -1}, "Port -1 is out of range; a port is a number from 1 to 65535."),
        ({"port": "80"}, "A session's port cannot be '80'."),
        ({"port": True}, "A session's port cannot be True."),
        ({"ipv6": 1}, "A session's ipv6 cannot be 1."),
        ({"messages": "hello"}, "A session's messages cannot be 'hello'."),
        ({"messages": [1]}, "A session's messages cannot be [1]."),
        ({"messages": ["hex:0g"]}, "'0g' is not hexadecimal."),
        ({"messages": ["fragments:0:x"]}, "must say a number of fragments from 1 to 1000."),
        ({"messages": ["ping:" + "x" * 126]}, "A ping carries at most 125 bytes."),
        ({"messages": ["fragments:2:ping:x"]}, "A ping cannot be fragmented."),
        ({"kind": "http", "messages": ["hello"]}, "'hello' is no request; write for example GET /"),
        ({"kind": "http", "messages": ["GET /\r\nX: y"]}, "is no request"),
        ({"kind": "udp", "behaviour": "push", "messages": []}, "give at least one message"),
        ({"close_code": 1005}, "1005 is no close code to send"),
        ({"close_reason": "x" * 124}, "The reason of a close is at most 123 bytes long."),
        ({"push_count": -1}, "A server pushes 0 to 10000 messages, not -1."),
        ({"timeout": 0}, "Intervals and time limits are seconds from 0 to 3600."),
        ({"timeout": float("nan")}, "Intervals and time limits are seconds from 0 to 3600."),
        ({"colour": 1, "size": 2}, "A session has no colour, size."),
        ({"lat\ncy": 1}, r"A session has no 'lat\ncy'."),
        ({"\u202e": 1}, r"A session has no '\u202e'."),
        ({"ending": "x" * 99}, "There is no ending '" + "x" * 39 + "; choose"),
    ],
)
def test_what_cannot_be_is_one_sentence(given_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolved(SessionSpec.from_json(given_))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", Message(b"hello")),
        ("", Message(b"")),
        ("http://example.org", Message(b"http://example.org")),
        ("hex:00 fF", Message(b"\x00\xff", "binary")),
        ("binary:hex:00", Message(b"hex:00", "binary")),
        ("ping:", Message(b"", "ping")),
        ("pong:x", Message(b"x", "pong")),
        ("fragments:3:hello", Message(b"hello", fragments=3)),
        ("fragments:2:hex:0102", Message(b"\x01\x02", "binary", 2)),
    ],
)
def test_messages(text: str, message: Message) -> None:
    assert parse_message(text) == message


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("GET /", Request("GET", "/", b"")),
        ("get /a?b", Request("GET", "/a?b", b"")),
        ("POST /echo hello there", Request("POST", "/echo", b"hello there")),
        ("PUT /x hex:00ff", Request("PUT", "/x", b"\x00\xff")),
        (r'GET / -H "X-Said: a \"b\" \\" -H "Accept:" -Hx',
         Request("GET", "/", b"-Hx", (("X-Said", 'a "b" \\'), ("Accept", "")))),
        ("GET /a HTTP/1.1", Request("GET", "/a", b"")),
        ("GET /pasted HTTP/1.1\r\nHost: x\r\nX-A:1\r\n\r\nsecond\nline",
         Request("GET", "/pasted", b"second\nline", (("Host", "x"), ("X-A", "1")))),
        ("POST / HTTP/1.1\nContent-Length: 2\n\nhi", Request("POST", "/", b"hi")),
        ("OPTIONS *", Request("OPTIONS", "*", b"")),
        ("hex:4142", Request("", "", b"AB")),
        (Message(b"GET /"), Request("GET", "/", b"")),
        (Message(b"GET /", "binary"), Request("", "", b"GET /")),
    ],
)
def test_requests(text: str | Message, request_: Request) -> None:
    assert parse_request(text) == request_


@given(st.from_regex(r"[A-Z]{1,6}", fullmatch=True), st.binary(), st.lists(st.tuples(
    st.from_regex(r"X-[a-z]{1,8}", fullmatch=True),
    st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029")).map(str.strip))))
def test_a_request_that_is_written_down_is_read_again(
    method: str, body: bytes, headers: list[tuple[str, str]]
) -> None:
    request = Request(method, "/a", body, tuple(headers))
    assert parse_request(written_request(request)) == request


def test_what_the_client_says_by_itself_is_not_written_down() -> None:
    usual = (("Host", "127.0.0.1:80"), ("User-Agent", "inspector"), ("Content-Length", "2"),
             ("Content-Type", "text/plain; charset=utf-8"))
    assert written_request(Request("POST", "/", b"hi", usual)) == "POST / hi"
    assert written_request(Request("GET", "/", b"", (("Host", "web.example"),))) == \
        'GET / -H "Host: web.example"'
    with pytest.raises(ValueError, match="Content-Length is said by the client"):
        parse_request('POST / -H "Content-Length: 9" hi')


@pytest.mark.parametrize(("text", "words"), [
    ("GET /a -H nocolon", "'-H nocolon' is no header; write -H \"Name: value\""),
    ('GET /a -H "X-Broken', "is no header"),
    ('GET /a -H "X-Broken: a', "is no header"),
    ('GET /a -H "X: a"body', "is no header"),
    ('GET /a -H "X: a" -H', "is no header"),
    ("GET /a -H 'X: a'", "is no header"),
    ("GET /a -HX:a", "is no header"),
    ("GET /a HTTP/1.1\nHost x\n", "'Host x' is no header; write Name: value, and an empty line"),
    ("GET /a HTTP/1.0\n", "speaks HTTP/1.1"),
    ("GET /a HTTP/1.1\nTransfer-Encoding: chunked\n\n", "Transfer-Encoding is said by the client"),
    ("POST /a HTTP/1.1\nContent-Length: 5\n\nhi", "Content-Length is said by the client"),
    ("GET /a\nHost: x", "is no request"),
])
def test_what_a_request_cannot_use_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_request(text)
    assert words in str(error.value)


def test_a_text_is_repeated() -> None:
    assert parse_message("repeat:3:ab") == Message(b"ababab")
    assert parse_message("repeat:2:hex:00ff") == Message(b"\x00\xff\x00\xff", "binary")
    for text in ("repeat:", "repeat:0:a", "repeat:2:", "repeat:x:a", "repeat:9999999:abc"):
        with pytest.raises(ValueError, match=r"must say how often"):
            parse_message(text)


@given(st.text())
def test_any_text_is_a_message_or_one_sentence(text: str) -> None:
    for parse in (parse_message, parse_request):
        try:
            parse(text)
        except ValueError as error:
            assert "\n" not in str(error) and not isinstance(error, UnicodeError)
