"""DNS messages: wording as Wireshark's, compression, damage, and any bytes at all in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRRSRV

from inspector.protocols.dns.message import MOST_RECORDS, parse_dns

pytestmark = pytest.mark.quick

NAME = b"\3www\7example\3com\0"


def message(flags: int = 0x0100, questions: int = 1, body: bytes = NAME + b"\0\1\0\1",
            answers: int = 0) -> bytes:
    counts = (questions, answers, 0, 0)
    return b"\x12\x34" + flags.to_bytes(2, "big") + b"".join(n.to_bytes(2, "big") for n in counts) + body


def info(data: bytes) -> str:
    found = parse_dns(data)
    assert found is not None
    return found.info


def test_query() -> None:
    found = parse_dns(message())
    assert found is not None and not found.response and found.broken == ""
    assert found.info == "Standard query 0x1234 A www.example.com"
    assert found.questions[0].name == "www.example.com"


def test_answers_as_scapy_builds_them() -> None:
    built = DNS(id=7, qr=1, qd=DNSQR(qname="a.example", qtype=255), an=[
        DNSRR(rrname="a.example", type="A", ttl=60, rdata="192.0.2.1"),
        DNSRR(rrname="a.example", type="AAAA", ttl=60, rdata="2001:db8::1"),
        DNSRR(rrname="a.example", type="CNAME", ttl=60, rdata="b.example"),
        DNSRR(rrname="a.example", type="TXT", ttl=60, rdata=[b"one", b"two\x1b[31m"]),
        DNSRRMX(rrname="a.example", preference=10, exchange="mail.example"),
        DNSRRSRV(rrname="a.example", priority=1, weight=2, port=5060, target="sip.example"),
    ])
    found = parse_dns(bytes(built))
    assert found is not None and found.broken == ""
    assert [record.text for record in found.answers] == [
        "192.0.2.1", "2001:db8::1", "b.example", '"one" "two␛[31m"', "10 mail.example",
        "1 2 5060 sip.example",
    ]
    assert found.info == ("Standard query response 0x0007 ANY a.example A 192.0.2.1 AAAA 2001:db8::1 "
                          "CNAME b.example TXT MX 10 mail.example SRV 1 2 5060 sip.example")
    assert found.answers[0].ttl == 60 and found.answers[-1].stop == len(bytes(built))


def test_compression_and_error_code() -> None:
    answer = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3ftp\xc0\x10"
    assert info(message(0x8180, body=NAME + b"\0\1\0\1" + answer, answers=1)) == (
        "Standard query response 0x1234 A www.example.com CNAME ftp.example.com")
    assert info(message(0x8183)) == "Standard query response 0x1234 No such name A www.example.com"


@pytest.mark.parametrize(("body", "word"), [
    (b"\xc0\x0c\0\1\0\1", "circle"), (b"\xc0\x20\0\1\0\1" + bytes(40), "forwards"), (b"\x80abc", "label"),
    (b"\x3fabc", "short"), (NAME + b"\0", "short"), (b"", "short"), (b"\x3f" + b"a" * 63, "short"),
    ((b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1", "255 bytes"),
])
def test_damage_is_told(body: bytes, word: str) -> None:
    found = parse_dns(message(body=body))
    assert found is not None and word in found.broken and found.questions == ()
    assert found.info.startswith("Standard query 0x1234 [")


def test_records_are_bounded() -> None:
    body = NAME + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\0" * 3000
    found = parse_dns(message(0x8000, body=body, answers=3000))
    assert found is not None and len(found.answers) == MOST_RECORDS
    assert (found.left, found.broken) == (3000 - MOST_RECORDS, "")
    assert found.info.endswith("[and 2,600 more, not read]")
    asked = parse_dns(message(0, body=NAME + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1" * 999, questions=1000))
    assert asked is not None and (len(asked.questions), asked.left, asked.broken) == (MOST_RECORDS, 600, "")


def test_no_whole_header() -> None:
    assert parse_dns(b"short") is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120) | st.binary(max_size=100).map(lambda body: message(0x8180, 2, body, 3)))
def test_any_bytes(data: bytes) -> None:
    found = parse_dns(data)
    assert found is None or (found.info.isprintable() and "\n" not in found.info)
