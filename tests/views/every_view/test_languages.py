"""Every view in another language: no word of ours is left in English, no line is wider than asked.

The first is looked for in a made-up language, over real captures of every protocol: what is in Latin letters
has to be a name of the field, or data off the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inspector.model import language
from inspector.model.packets import first_rows
from inspector.protocols import REGISTRY, RULES
from inspector.protocols.mqtt.packet import NAMES as NAMES_OF_MQTT
from inspector.protocols.mysql.packets import COMMANDS
from inspector.protocols.postgresql.values import AUTHENTICATIONS, BACKEND, ERRORS, FRONTEND
from inspector.protocols.tls.decoder import MESSAGES, TYPES
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.opening import handshake
from inspector.views.conversation.sparkline import sparklines
from inspector.views.conversation.stream.follow import FollowStream
from inspector.views.conversations.compare.compare import Side, comparison, conversations_of
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.bytes import bits_lines
from inspector.views.detail.call import call_fields
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.draw.header import header_diagram
from inspector.views.findings.list import FindingList
from inspector.views.ladder.ladder import Ladder, default_conversation
from inspector.views.ladder.printed import LadderText
from inspector.views.line.spans import Line, cell_width, plain
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from inspector.wire.dissection.field import Field
from tests.support.captures.traces import DATA, SESSIONS, open_trace
from tests.support.screen.strange import latin, look_up
from tests.support.tiers import sweep

LESS = ["tcp", "tcp-refused", "udp-refused", "websocket"]
CAPTURES = [
    *(DATA / "traces" / f"{name}.pcapng" for name in SESSIONS),
    *(path for folder in ("protocols", "sessions", "frames", "cases") for path in sorted(
        (DATA / folder).glob("*.pcap*")) if path.suffix in (".pcap", ".pcapng")),
]
USUAL = ("tcp", "udp-refused", "http", "websocket-deflate", "dns", "errors", "mqtt", "09f-socks5-websocket")
_MOST = 300              # packets of a capture that is walked: two of them are made of thousands alike
_DECODED = frozenset(one.name for one in REGISTRY if one.decoder is not None)
_HEADERS = ("ip", "ipv6", "tcp", "udp", "icmp")
# What stays as it is, and why. Numbers in hex and single letters are no words.
NAMES = frozenset(latin("""
    Seq Ack Win Len MSS SACK_PERM TSval TSecr seq ack win len mss ttl hop limit ACK PSH SYN FIN RST URG Rsrvd
    ESTABLISHED LISTEN CLOSED CLOSING SENT RECEIVED TIME WAIT LAST CLOSE pid
    TCP UDP ICMP ICMPv IPv RFC SACK SHA GUID base key EAFA
    PostgreS gRPC Ethernet Link VXLAN GPE GENEVE GTP MPLS GRE SCTP OSPF HOPOPT
""" + " ".join(one.title for one in REGISTRY)))
# Flags, states and header fields of RFCs, protocols, the texts of proofs.
SPOKEN = frozenset(latin(" ".join((*FRONTEND.values(), *BACKEND.values(), *AUTHENTICATIONS.values(),
                                   *MESSAGES.values(), *TYPES.values(), *NAMES_OF_MQTT,
                                   *COMMANDS.values(), *map(str.capitalize, ERRORS.values()),
                                   *(rule.clause for rule in RULES.values())))) + latin("""
    TEXT BINARY CONTINUATION PING PONG CLOSE normal closure text binary ping pong close accept
    ALPN close_notify unknown_ca stream
    SETTINGS HEADERS DATA GOAWAY RST_STREAM WINDOW_UPDATE PRIORITY PUSH_PROMISE END_STREAM RESET WINDOW PUSH
    MAX_CONCURRENT_STREAMS INITIAL_WINDOW_SIZE MAX_FRAME_SIZE ENABLE_PUSH MAX_HEADER_LIST_SIZE
    HEADER_TABLE_SIZE NO_ERROR CANCEL NOT_FOUND UNIMPLEMENTED DEADLINE_EXCEEDED
    SUB UNSUB END AUTH QoS SERVER LOGIN QUERY ROWS ERROR QUIT PREPARE EXECUTE SYNC STARTUP COPY FATAL database
    user greeting login nil error integer empty array bulk big number double true false set hash
    AAAA PTR SRV TXT CNAME OPT SOA column count EOF
"""))                    # messages of protocols, as their specifications, and redis-cli, name them
ANALYSIS = frozenset(latin("""
    Retransmission Fast Spurious Previous segment not captured ACKed unseen Window Full Update Out-Of-Order
    Dup ZeroWindowProbe ZeroWindowProbeAck ZeroWindow Keep-Alive Port numbers reused probe
    Fragmented protocol proto off more ident nxt fragment
"""))                    # what Wireshark calls it, by which people search
TOGETHER = frozenset(latin("apple auth ClientAuthentication"))       # on the wire other letters touch them
SCAPY = frozenset({"detail", "header", "bits"})       # where names that scapy has for values stand



def _pages(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    """Name of the view, and each of its lines."""
    ladder = Ladder(trace, default_conversation(trace))
    yield from (("ladder", line) for line in ladder.header(width))
    yield from (("ladder", ladder.line(index, width)) for index in range(ladder.count))
    text = LadderText(trace, width, whole=True)
    yield from (("printed", line) for line in [*text.update(None), *text.footer()])
    packets = PacketList(trace)
    yield from _list("packets", packets.title, packets.line, packets.count, width)
    found = FindingList(trace)
    while not found.complete:
        found.update()
    yield from _list("findings", found.title, found.line, found.count, width)
    yield from (("findings", line) for index in range(found.count) for line in found.detail(index, width))
    sockets = SocketLines(trace)
    yield from _list("sockets", sockets.title, sockets.line, sockets.count, width)
    conversations = ConversationList(trace)
    conversations.update()
    while conversations.decode(range(conversations.count), 1.0):
        pass
    yield from _list("conversations", conversations.title, conversations.line, conversations.count, width)
    yield from _of_conversations(trace, width)
    yield from _details(trace, width)


def _list(name: str, title: Callable[[int], Line], line: Callable[[int, int], Line], count: int,
          width: int) -> Iterator[tuple[str, Line]]:
    yield name, title(width)
    yield from ((name, line(index, width)) for index in range(count))


def _of_conversations(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    every = conversations_of(trace, None, 4)
    for one in every:
        yield from (("handshake", line) for line in handshake(trace, one).page(width).lines)
        if one.protocol != "tcp":
            continue
        messages = MessageList(trace, one.stream)
        yield from _list("messages", messages.title, messages.line, messages.count, width)
        stream = FollowStream(trace, one.stream, "json")
        yield from _list("stream", stream.title, stream.line, stream.count, width)
        yield from (("sparkline", line) for line in sparklines(trace, one.stream, width))
    if len(every) > 1:
        sides = [Side(trace, one) for one in every]
        yield from (("compare", line) for line in comparison(sides, width))


def _details(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    for row in islice(first_rows(trace.index.count), 12):
        fields = packet_tree(trace, row)
        detail = Detail(fields)
        paths = [path for path, _ in _every(fields)]
        detail = detail.with_opened(frozenset(paths))
        yield from (("detail", detail.line(index, width)) for index in range(detail.count))
        frame = bytes(trace.frame(row))
        yield from (("bits", line) for _, one in _every(fields) for line in bits_lines(frame, one, width))
        layers = [one for one in fields if one.name in _HEADERS]
        yield from (("header", line) for one in layers for line in header_diagram(one))
    for call in trace.calls[:30]:
        tree = Detail(call_fields(trace, call))
        tree = tree.with_opened(frozenset(path for path, _ in _every(tree.fields)))
        yield from (("call", tree.line(index, width)) for index in range(tree.count))


def _every(fields: Sequence[Field], above: str = "") -> Iterator[tuple[str, Field]]:
    for one in fields:
        path = f"{above}/{one.name}" if above else one.name
        yield path, one
        yield from _every(one.children, path)


@pytest.fixture
def chinese() -> Iterator[None]:
    language.use("zh")
    yield
    language.use("en")


@sweep("path", CAPTURES, usual=lambda path: path.name.partition(".")[0] in USUAL, ids=lambda path: path.name)
def test_no_word_of_ours_is_left_in_english(
    path: Path, chinese: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "_look_up", look_up)
    with Trace.open(path) as trace:
        trace.finish()
        if trace.index.count > _MOST:
            pytest.skip("as others are, a thousand times")
        known, left = _off_the_wire(trace) | NAMES | SPOKEN | ANALYSIS | TOGETHER, {}
        named = known | _scapys(trace)
        for view, line in _pages(trace, 400):
            text = plain(line)
            for word in latin(_without_numbers(text)):
                if not _is_of(word, named if view in SCAPY else known, view, text):
                    left[f"{view}: {word}"] = text.strip()
    assert not left


def _without_numbers(text: str) -> str:
    """Without hex, ids of rules and their clauses, and texts in quotes, which are the wire's."""
    text = re.sub(r'"[^"]*("|$|…)', " ", text)
    text = re.sub(r"^\s*[a-z0-9]+\.[a-z0-9.-]+  .*", "", text)
    return re.sub(r"\b(0[xω])?[0-9a-f]{2,}\b|\\x[0-9a-f]{2}", " ", text)


def _is_of(word: str, known: frozenset[str], view: str, text: str) -> bool:
    """Whether it is one of them, or the beginning of one that was cut, or a piece of a line of bytes."""
    if view == "stream":
        return any(word in one for one in known)
    return word in known or ("…" in text and any(one.startswith(word) for one in known))


def _off_the_wire(trace: Trace) -> frozenset[str]:
    """What stands in frames, calls, and in what of the application was unpacked or opened."""
    texts = [bytes(trace.frame(row)).decode("latin-1") for row in first_rows(trace.index.count)]
    for call in trace.calls:
        texts += [call.name, call.arguments, call.detail, call.errno or ""]
    texts += [one.process for one in (*trace.kernel, *trace.kernel_outside)]
    for one in conversations_of(trace, None, 16):
        for layer in trace.application(one.stream).layers if one.protocol == "tcp" else ():
            decoder: Any = layer.decoder
            texts += [decoder.content(index, 4096).decode("latin-1") for index in range(decoder.count)]
            texts += [decoder.shown(index, 4096).body.decode("latin-1") for index in range(decoder.count)]
            texts += [decoder.payload(record, 4096).decode("latin-1") for record in decoder.records]
    return frozenset(word for text in texts for word in latin(text))


def _scapys(trace: Trace) -> frozenset[str]:
    """The words of scapy for layers, fields and values of these packets: what is no sentence of ours."""
    found: list[str] = []
    for row in islice(first_rows(trace.index.count), 12):
        layers = [one for one in packet_tree(trace, row) if one.name not in _DECODED or one.name == "dns"]
        for _, one in _every(layers):
            found += [one.label, "" if isinstance(one.value, language.Sentence) else one.value]
    return frozenset(word for text in found for word in latin(text))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", LESS)
def test_lines_in_chinese_are_as_wide_as_asked(name: str, width: int, chinese: None) -> None:
    with open_trace(name) as trace:
        wrong = {plain(line): view for view, line in _pages(trace, width)
                 if cell_width(plain(line)) > width and view != "header"}
    assert not wrong


@pytest.mark.parametrize("name", LESS)
def test_columns_stand_below_their_titles_in_chinese(name: str) -> None:
    """The same cells begin in the same places in both languages."""
    places = []
    for chosen in ("en", "zh"):
        language.use(chosen)
        try:
            with open_trace(name) as trace:
                places.append([_starts(line) for line in _columns(trace)])
        finally:
            language.use("en")
    assert places[0] == places[1]


def _columns(trace: Trace) -> Iterator[Line]:
    packets, sockets, conversations = PacketList(trace), SocketLines(trace), ConversationList(trace)
    conversations.update()
    for width in (80, 120):
        yield packets.title(width)
        yield from (packets.line(index, width) for index in range(packets.count))
        yield sockets.title(width)
        yield from (sockets.line(index, width) for index in range(len(sockets.rows)))
        yield conversations.title(width)
        yield from (conversations.line(index, width) for index in range(conversations.count))


def _starts(line: Line) -> list[int]:
    """The cell at which each span begins."""
    found, cell = [], 0
    for span in line:
        found.append(cell)
        cell += cell_width(span.text)
    return found
