"""pcapng blocks: what is written reads back the same, whatever stands in it, and damage is told as such."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, from_fields, to_fields

pytestmark = pytest.mark.quick

ORDER = "<" if struct.pack("=H", 1) == b"\1\0" else ">"
TIMES = st.integers(0, (1 << 63) - 1)
COUNTS = st.none() | st.integers(0, (1 << 64) - 1)


def only(data: bytes) -> tuple[pcapng.Block, bytes]:
    """The one block that `data` is, and its body."""
    block = pcapng.block_at(data, 0, ORDER)
    assert block is not None and block.end == len(data) and len(data) % 4 == 0
    return block, data[block.body : block.body_end]


@given(st.binary(max_size=200), TIMES, st.integers(0, 1 << 20), st.integers(0, 9), st.text(max_size=30))
def test_a_packet_reads_back(frame: bytes, time_ns: int, more: int, interface: int, comment: str) -> None:
    block, body = only(pcapng.enhanced_packet(frame, time_ns, len(frame) + more, interface, comment))
    number, high, low, captured, length = struct.unpack_from("=IIIII", body)
    assert (block.type, number, high << 32 | low) == (pcapng.ENHANCED_PACKET, interface, time_ns)
    assert (captured, length, body[20 : 20 + captured]) == (len(frame), len(frame) + more, frame)
    options = pcapng.parse_options(body, 20 + captured + (-captured % 4), ORDER)
    assert options == ([(1, comment.encode("utf-8", "backslashreplace"))] if comment else [])


@given(st.integers(0, 65535), st.integers(0, 1 << 31), st.text(max_size=20), st.text(max_size=20),
       st.integers(0, 255), st.integers(-(1 << 40), 1 << 40))
def test_an_interface_reads_back(
    link_type: int, snaplen: int, name: str, filter: str, resolution: int, offset: int
) -> None:
    written = pcapng.interface_description(
        link_type, snaplen, name, filter=filter, resolution=resolution, offset=offset
    )
    found = pcapng.parse_interface(only(written)[1], ORDER)
    assert (found.link_type, found.snaplen) == (link_type, snaplen)
    assert (found.resolution, found.offset) == (resolution, offset)
    assert found.name == name.encode("utf-8", "backslashreplace").rstrip(b"\0").decode()
    assert found.filter == filter.encode("utf-8", "backslashreplace").rstrip(b"\0").decode()


@given(TIMES, COUNTS, COUNTS, COUNTS, COUNTS, st.text(max_size=20))
def test_statistics_read_back(
    time_ns: int, received: int | None, dropped: int | None, accepted: int | None, delivered: int | None,
    comment: str,
) -> None:
    written = pcapng.interface_statistics(
        time_ns, received, dropped, interface=3, accepted=accepted, delivered=delivered, comment=comment
    )
    found = pcapng.parse_statistics(only(written)[1], ORDER)
    assert (found.interface, found.ticks, found.received, found.dropped) == (3, time_ns, received, dropped)
    assert (found.accepted, found.os_dropped, found.delivered) == (accepted, None, delivered)


@given(st.dictionaries(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0", min_size=1, max_size=9), st.text(max_size=60)))
def test_journal_fields_read_back(fields: dict[str, str]) -> None:
    expected = {key: value.encode("utf-8", "backslashreplace").decode() for key, value in fields.items()}
    assert pcapng.parse_journal(only(pcapng.journal(fields))[1]) == expected


@pytest.mark.parametrize("record", [
    CallRecord(1, 20, 21, "client", "connect", "3, 127.0.0.1:8000", 5_000_000_001, 5_000_000_009, 0, None, "",
               3, "127.0.0.1:50000", "127.0.0.1:8000", "tcp"),
    CallRecord(2, 20, 21, "server", "accept", "3", 5_000_000_001),
    CallRecord(3, 20, 21, "client", "connect", "3", 1, 2, None, "ECONNREFUSED"),
    EventRecord("session-ended", "It ended.\nAll of it.", 7, "client", 20, (("ok", "true"),)),
])
def test_records_of_ours_go_through_the_file(record: CallRecord | EventRecord) -> None:
    assert from_fields(pcapng.parse_journal(only(pcapng.journal(to_fields(record)))[1])) == record


def test_a_journal_entry_of_systemd_in_its_binary_form() -> None:
    value = b"two\nlines"
    entry = b"__CURSOR=s=1\nMESSAGE\n" + struct.pack("<Q", len(value)) + value + b"\n_PID=12\n\n"
    assert pcapng.parse_journal(entry) == {"__CURSOR": "s=1", "MESSAGE": "two\nlines", "_PID": "12"}


def test_keys_cannot_break_out_of_their_line() -> None:
    found = pcapng.parse_journal(only(pcapng.journal({"a=b\nc": "x"}))[1])
    assert found == {"A_B_C": "x"}


@settings(max_examples=100)
@given(st.binary(max_size=120))
def test_any_body_gives_values_or_a_block_error(body: bytes) -> None:
    parsers = (pcapng.check_section, pcapng.parse_interface, pcapng.parse_statistics, pcapng.parse_names)
    for order in "<>":
        for parse in parsers:
            try:
                parse(body, order)
            except pcapng.BlockError as error:
                assert str(error)
        try:
            pcapng.block_at(body, 0, order)
        except pcapng.BlockError as error:
            assert str(error)
    pcapng.parse_journal(body)


def test_names_of_addresses() -> None:
    record = bytes([192, 0, 2, 1]) + b"one.example\0two.example\0"
    body = struct.pack("<HH", 1, len(record)) + record + b"\0" * (-len(record) % 4) + b"\0\0\0\0"
    assert pcapng.parse_names(body, "<") == {bytes([192, 0, 2, 1]): ("one.example", "two.example")}


def test_the_byte_order_of_a_section() -> None:
    head = pcapng.section_header()
    assert pcapng.section_order(head) == ORDER
    turned = struct.pack(">III", pcapng.SECTION_HEADER, 28, pcapng.BYTE_ORDER_MAGIC)
    assert pcapng.section_order(turned) == ">"
    assert pcapng.section_order(head[:11]) is None
    assert pcapng.section_order(b"\x0a\x0d\x0d\x0a" + b"\0" * 8) is None


@pytest.mark.parametrize("total", [0, 8, 13, pcapng.MAX_BLOCK + 4, 0xFFFFFFFC])
def test_lengths_that_cannot_be_are_damage(total: int) -> None:
    with pytest.raises(pcapng.BlockError):
        pcapng.block_at(struct.pack("<III", 6, total, 0) + bytes(64), 0, "<")


def test_a_block_that_is_not_whole_is_awaited() -> None:
    data = pcapng.enhanced_packet(b"frame", 1)
    assert all(pcapng.block_at(data[:size], 0, ORDER) is None for size in range(len(data)))


@pytest.mark.parametrize(("key", "value"), [
    ("INSPECTOR_TIME_NS", str(1 << 64)), ("INSPECTOR_TIME_NS", "-1"), ("INSPECTOR_END_NS", str(1 << 63)),
    ("_PID", "9" * 4000), ("INSPECTOR_RESULT", str(1 << 70)), ("INSPECTOR_ID", "x"),
])
def test_a_damaged_record_is_none(key: str, value: str) -> None:
    record = CallRecord(id=1, pid=2, tid=2, role="client", name="send", arguments="3", time_ns=5, end_ns=6,
                        result=1)
    fields = to_fields(record)
    assert key in fields and from_fields(fields) == record
    assert from_fields(fields | {key: value}) is None
