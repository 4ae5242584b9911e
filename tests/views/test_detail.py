"""The tree of one packet, its bytes, and the way from one to the other."""

import pytest

from inspector.model.packets import Row, first_rows
from inspector.trace.packet.protocol_names import frame_protocols
from inspector.trace.trace import Trace
from inspector.views.detail.bytes import HexDump, Mark, bits_lines, bytes_per_line
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.line.spans import plain
from inspector.wire.dissection.field import Field
from inspector.wire.headers.transport import VXLAN_GPE
from tests.support.captures.application import web
from tests.support.captures.traces import open_trace
from tests.support.oracles.tshark import DATA
from tests.support.screen.views import all_lines, text_of


def _detail(name: str, row: Row) -> tuple[Detail, bytes]:
    with open_trace(name) as trace:
        return Detail(packet_tree(trace, row)), trace.frame(row)


def test_every_byte_leads_to_a_field_that_holds_it() -> None:
    for name, row in (("tcp", 0), ("http", 3), ("websocket", 7), ("udp-refused", 1)):
        detail, frame = _detail(name, Row(row))
        for byte in range(len(frame)):
            path = detail.field_at(byte)
            assert path is not None
            place = detail.range_of(path)
            assert place is not None and place[0] <= byte < place[1]


def test_bits_choose_among_fields_of_one_byte() -> None:
    detail, _ = _detail("websocket", Row(7))
    frame = next(field for field in detail.fields if field.name == "websocket")
    assert detail.field_at(frame.start, 0) == "websocket/websocket.fin"
    assert detail.field_at(frame.start, 5) == "websocket/websocket.opcode"
    assert detail.range_of("websocket/websocket.opcode") == (frame.start, frame.start + 1, 4, 8)


def test_a_websocket_frame_shows_its_payload_masked_and_unmasked() -> None:
    detail, frame = _detail("websocket", Row(7))
    field = detail.field("websocket/websocket.payload")
    raw = detail.field("websocket/websocket.payload_raw")
    assert field is not None and raw is not None
    assert field.value == '"hello"' and raw.value == frame[raw.start : raw.stop].hex(" ")


_MORE = {"data", "trailer", "gtp.ext_hdr", "eth.padding"}      # what scapy tells and frame.protocols does not


def test_every_layer_of_a_tunnel_stands_in_the_tree() -> None:
    with Trace.open(DATA / "frames" / "stacks.pcapng") as trace:
        trace.finish()
        for row in first_rows(trace.index.count):
            fields = packet_tree(trace, row)
            shown = [field.name for field in fields[1:]
                     if field.name not in _MORE and not field.name.endswith(".rest")]
            named = [name for name in frame_protocols(trace, row) if name not in ("ethertype", "data")]
            if any(one.dport == VXLAN_GPE for one in trace.index.outer.of(row)):
                named.insert(3, "vxlan")                            # Wireshark has no name for it
            if shown[1:3] == ["mpls", "mpls"]:                      # a stack has one name, each label a layer
                del shown[1]
            cut = named[-1] == "eth" and fields[-1].name == "vxlan"             # Ethernet of no bytes
            assert shown == (named[:-1] if cut else named), (row + 1, shown, named)
            covered = {byte for field in fields[1:] for byte in range(field.start, field.stop)}
            assert covered == set(range(len(trace.frame(row))))


def test_a_tunnels_layers_say_which_it_is_and_their_conversations() -> None:
    with Trace.open(DATA / "frames" / "stacks.pcapng") as trace:
        trace.finish()
        fields = packet_tree(trace, Row(2))
        values = {field.name: field.value for field in fields}
        assert values["vxlan"] == "VNI 42"
        streams = [child.value for field in fields if field.name == "udp" for child in field.children
                   if child.name == "udp.stream"]
        assert streams == ["UDP 2", "UDP 3"]             # as tshark numbers them
        places = ((28, 4), (72, 3), (79, 2), (88, 2))
        labels = {packet_tree(trace, Row(row))[place].value for row, place in places}
        assert labels == {"TEID 0x00001234", "key 78", "path 11", "label 100"}


def test_no_checksum_of_a_healthy_tunnel_is_called_wrong() -> None:
    """Linux computes the outer one for the inner one's final value, which the device was to fill in."""
    with Trace.open(DATA / "cases" / "vxlan-linux.pcap") as trace:
        trace.finish()
        texts = [child.value for row in first_rows(trace.index.count) for field in packet_tree(trace, row)
                 for child in field.children if child.name in ("udp.checksum", "tcp.checksum")]
        assert not [text for text in texts if "wrong" in text]
        assert sum("once the one inside is complete" in text for text in texts) == 16


def test_what_lies_in_other_packets_says_where() -> None:
    with open_trace("websocket-deflate") as trace:
        application = web(trace, 0)
        rows = [row for row in first_rows(trace.index.count) if len(application.frames_of(row)) > 1]
        assert rows        # two fragments in one segment
        tree = packet_tree(trace, rows[0])
        assert sum(field.name == "websocket" for field in tree) == len(application.frames_of(rows[0]))


def test_headers_of_http_have_their_bytes() -> None:
    detail, frame = _detail("http", Row(3))
    place = detail.range_of("http/http.host")
    assert place is not None and frame[place[0] : place[1]].lower().startswith(b"host:")


def test_what_is_opened_stays_open_on_another_packet() -> None:
    first, _ = _detail("tcp", Row(0))
    opened = first.toggled("tcp/tcp.flags").opened
    with open_trace("tcp") as trace:
        other = Detail(packet_tree(trace, Row(5)), opened)
    assert other.index_of("tcp/tcp.flags/tcp.flags.ack") is not None
    assert other.toggled("tcp").index_of("tcp/tcp.flags") is None
    assert first.index_of("ip/ip.ttl") is None
    assert first.revealing("ip/ip.ttl").index_of("ip/ip.ttl") is not None
    assert first.range_of("nothing") is None and first.field("nothing") is None


def test_what_the_flow_knows_stands_with_the_header() -> None:
    detail, _ = _detail("tcp", Row(3))
    seq = detail.field("tcp/tcp.seq_raw")
    states = [detail.field(f"tcp/tcp.state{number}") for number in ("", "#2")]
    assert seq is not None and seq.value.endswith("(relative 1)")
    assert [state.value for state in states if state is not None] == ["ESTABLISHED", "ESTABLISHED"]
    assert detail.range_of("tcp/tcp.state") is None


@pytest.mark.parametrize(("width", "count"), [(200, 16), (76, 16), (60, 8), (40, 8), (39, 4), (20, 4)])
def test_bytes_per_line(width: int, count: int) -> None:
    assert bytes_per_line(width, 100) == count


@pytest.mark.parametrize("per_line", [4, 8, 16])
def test_cells_lead_to_bytes_and_back(per_line: int) -> None:
    data = bytes(range(256)) * 2
    dump = HexDump(data, per_line, [Mark(3, 40, "marked"), Mark(5, 6, "key")])
    for byte in range(len(data)):
        line = dump.index_of(byte)
        assert line is not None
        text = plain(dump.line(line, 90))
        cells = [cell for cell in range(len(text)) if dump.byte_at(line, cell) == byte]
        assert text[cells[0] : cells[0] + 2] == f"{byte % 256:02x}"
        shown = chr(byte % 256) if 0x20 <= byte % 256 < 0x7F else "·"
        assert text[cells[-1]] == shown
    assert dump.index_of(len(data)) is None and dump.byte_at(0, 0) is None


def test_marks_of_bytes() -> None:
    dump = HexDump(bytes(20), 16, [Mark(3, 18)])
    marked = ["".join(span.text for span in dump.line(line, 80) if span.style == "marked") for line in (0, 1)]
    assert marked[0].count("00") == 13 and marked[1].count("00") == 2
    assert marked[0].count("·") == 13 and marked[1].count("·") == 2


def test_a_huge_dump_costs_what_is_seen() -> None:
    dump = HexDump(memoryview(bytes(50_000_000)), 16)
    assert dump.count == 3_125_000
    assert plain(dump.line(3_124_999, 80)).startswith("2faf070  00")
    assert text_of(all_lines(0, dump.line, 80), 80) == "\n"


def test_bits_are_marked_within_their_bytes() -> None:
    data = bytes((0x50, 0x12))
    field = Field("tcp.flags", "Flags", "0x012", 0, 2, 7, 16)
    (line,) = bits_lines(data, field, 60)
    assert plain(line).startswith("0101 0000 0001 0010   Flags = 0x012")
    assert "".join(span.text for span in line if span.style == "marked") == "0 0001 0010"
    assert bits_lines(data, field._replace(start=5, stop=5), 60) == []
    (alone,) = bits_lines(bytes(100), Field("", "Message 2", "", 0, 100), 60)
    assert plain(alone).strip() == "Message 2"               # a label without a value
    (line,) = bits_lines(bytes(100), Field("data", "Data", "zeros", 0, 100), 60)
    assert plain(line).rstrip() == "Data = zeros"


def test_bits_and_what_they_mean_are_never_cut() -> None:
    field = Field("tcp.seq_raw", "Sequence number", "3735928559  relative 100", 0, 8)
    for width in (20, 42, 80, 120):
        text = " ".join(plain(line) for line in bits_lines(bytes(range(8)), field, width))
        assert "Sequence number = 3735928559 relative 100" in " ".join(text.split()) and "…" not in text
        assert text.replace(" ", "").startswith("".join(f"{byte:08b}" for byte in range(8)))
