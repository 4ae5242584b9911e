"""MQTT on one connection: control packets of both ends, and which one acknowledges which.

    units ─> MqttPacket ─> partner: CONNECT and CONNACK, PUBLISH and PUBACK or PUBREC, PUBREL and PUBCOMP, …
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.language import marked, sentence, verbatim
from inspector.model.units import amount
from inspector.protocols.api import Hole, MessageIndex, MessageLine, Part, Shown, Source, Start
from inspector.protocols.framing.units import Unit, UnitDecoder
from inspector.protocols.mqtt.findings import BOOK
from inspector.protocols.mqtt.packet import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    FAILED,
    NAMES,
    NOTHING,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    Parsed,
    read,
    reason_text,
    variable,
)
from inspector.protocols.mqtt.start import packet_size
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped, worded

_NAMED = 8                  # topics and reasons of a packet in its line
_SHOWN = 64                 # topics, reasons and properties of a packet in its detail
READ = 1 << 16              # bytes of a packet that are read for its values
_TEXT = 200
_ALIASES = 1000              # topic aliases of a direction that are kept
_ASKS = {CONNACK: CONNECT, PUBACK: PUBLISH, PUBREC: PUBLISH, PUBCOMP: PUBREL, SUBACK: SUBSCRIBE,
         UNSUBACK: UNSUBSCRIBE, PINGRESP: PINGREQ}
_ASKED = frozenset(_ASKS.values())
_CONTROL = (PINGREQ, PINGRESP, PUBACK, PUBREC, PUBREL, PUBCOMP)


@dataclass(slots=True)
class MqttPacket:
    """One control packet. `first`: its first byte; `partner`: position of its answer, or of its question."""

    number: int
    direction: int
    start: int
    stop: int
    first: int
    complete: bool = True
    partner: int | None = None
    topic: str = ""                              # of a topic alias, which the packet itself does not say

    @property
    def type(self) -> int:
        """1 to 15."""
        return self.first >> 4

    @property
    def qos(self) -> int:
        """Of a PUBLISH."""
        return self.first >> 1 & 3


class MqttDecoder(UnitDecoder[MqttPacket]):
    """Control packets of both ends. Acknowledgements find their packets by identifier."""

    in_turn = False
    cut_short = frozenset({"mqtt.unanswered", "mqtt.unacknowledged"})

    head = 5
    most = READ

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self.inferred = self.doubted
        self.version = 4
        # (direction, type, identifier) -> positions of what waits for an answer
        self._asked: dict[tuple[int, int, int], deque[int]] = {}
        self._aliases: tuple[dict[int, str], ...] = ({}, {})
        self._will: str | None = None
        self._left = False                       # DISCONNECT came

    def measure(self, direction: int, head: bytes) -> int:
        return packet_size(head)

    def plausible(self, direction: int, head: bytes) -> bool:
        return 0 < packet_size(head) < 1 << 21

    def foreign(self, direction: int, start: int) -> None:
        who = "client" if direction == self.client else "server"
        what = sentence("What the {who} sends here is no packet of MQTT.", who=sentence(who))
        self.findings.append(BOOK.finding("mqtt.no-packet", what, direction, start, start + 2))

    def make(self, unit: Unit, data: bytes) -> None:
        record = MqttPacket(len(self._records), unit.direction, unit.start, unit.stop, data[0], unit.whole)
        self._records.append(record)
        parsed = NOTHING
        if len(data) > 2:
            parsed = read(data[0], data[1 + variable(data[1:5])[1] :], self.version)
        kind = data[0] >> 4
        if kind == CONNECT:
            self.version, self._will = parsed.version or 4, parsed.will
        elif kind == PUBLISH and parsed.alias:
            self._name_by_alias(record, parsed)
        self._left = self._left or kind == DISCONNECT
        self._match(record, kind, parsed)
        if parsed.reasons:
            self._judge(record, parsed)

    def _name_by_alias(self, record: MqttPacket, parsed: Parsed) -> None:
        known = self._aliases[record.direction]
        if parsed.topics[0] and (len(known) < _ALIASES or parsed.alias in known):
            known[parsed.alias or 0] = parsed.topics[0]
        record.topic = parsed.topics[0] or known.get(parsed.alias or 0, "")

    def _match(self, record: MqttPacket, kind: int, parsed: Parsed) -> None:
        """Find what a packet answers; remember what is to be answered."""
        number = parsed.packet_id or 0
        asked = _ASKS.get(kind)
        if asked is not None:
            waiting = self._asked.get((1 - record.direction, asked, number))
            if waiting:
                record.partner = waiting.popleft()
                self._records[record.partner].partner = record.number
        elif kind in _ASKED and (kind != PUBLISH or record.qos):
            key = record.direction, kind, number
            waiting = self._asked.get(key)
            if waiting is None:
                waiting = self._asked[key] = deque()
            if kind == PUBLISH and record.first & 8 and waiting:
                waiting.clear()                  # sent again: the later one is acknowledged
            waiting.append(record.number)

    def _judge(self, record: MqttPacket, parsed: Parsed) -> None:
        kind = record.type
        bad = [reason for reason in parsed.reasons
               if reason >= FAILED or (kind == CONNACK and self.version < 5 and reason)]
        if not bad:
            return
        who = "client" if record.direction == self.client else "server"
        texts = worded(dict.fromkeys(reason_text(kind, reason, self.version) for reason in bad[:4]),
                       between=", ")
        why = next((sentence(": \"{why}\"", why=escaped(text, 100)) for name, text in parsed.properties
                    if name == "reason"), "")
        place = record.direction, record.start, record.stop
        if kind == CONNACK:
            self.explained_end = True
            what = sentence("The server refuses the connection: {texts}{why}.", texts=texts, why=why)
            self.findings.append(BOOK.finding("mqtt.refused", what, *place))
        elif kind == DISCONNECT:
            self.explained_end = True
            what = sentence("The {who} ends the connection: {texts}{why}.", who=sentence(who), texts=texts,
                            why=why)
            self.findings.append(BOOK.finding("mqtt.disconnected", what, *place))
        else:
            asked = None if record.partner is None else self._records[record.partner]
            about = "" if asked is None else sentence(" to \"{asked}\"", asked=self.summary(asked))
            what = sentence(
                "The {who} answers {texts}{why}{about}.", who=sentence(who), texts=texts, why=why,
                about=about)
            self.findings.append(BOOK.finding("mqtt.negative-answer", what, *place))

    def lose(self, hole: Hole) -> bool:
        self._left = True                # what was lost may have been a DISCONNECT
        return super().lose(hole)

    @property
    def _is_sure(self) -> bool:
        return not self.doubted and not any(self._lost)

    def unanswered(self) -> Sequence[int]:
        if not self._is_sure:
            return ()
        return sorted(position for waiting in self._asked.values() for position in waiting)

    def end(self, first: int, reset: bool) -> None:
        if not self._is_sure:
            return
        who = "client" if first == self.client else "server"
        ends = sentence("resets") if reset else sentence("ends")
        how = sentence("before the {who} {ends} the connection", who=sentence(who), ends=ends)
        for (direction, kind, _), waiting in self._asked.items():
            rule = "mqtt.unacknowledged" if kind in (PUBLISH, PUBREL) else "mqtt.unanswered"
            for position in waiting:
                record = self._records[position]
                place = direction, record.start, record.stop
                if self.findings.full(rule, direction, record.start):
                    continue
                if kind in (PUBLISH, PUBREL):
                    what = sentence(
                        "\"{summary}\" was not acknowledged {how}.", summary=self.summary(record), how=how)
                else:
                    what = sentence("{summary} got no answer {how}.", summary=self.summary(record), how=how)
                self.findings.append(BOOK.finding(rule, what, *place))
        if self._will is not None and not self._left and self._records:
            last = self._records[-1]
            will = escaped(self._will, 80)
            what = sentence(
                "The connection ends without DISCONNECT: the will on \"{will}\" is published.", will=will)
            self.findings.append(BOOK.finding("mqtt.will", what, last.direction, last.start, last.stop))

    # --- words -------------------------------------------------------------------------------------

    def parsed(self, record: MqttPacket) -> Parsed:
        """What a packet says, read again."""
        return self.reread(record, lambda one: read(one.first, self._body(one, READ), self.version))

    def _body(self, record: MqttPacket, limit: int) -> bytes:
        stream = self.source.streams[record.direction]
        return stream.read(self.body_start(record), min(record.stop, record.start + limit))

    def body_start(self, record: MqttPacket) -> int:
        """Where what follows the length begins."""
        return record.start + 1 + variable(self.source.streams[record.direction].read(
            record.start + 1, record.start + 5))[1]

    def message(self, record: MqttPacket, limit: int = READ) -> bytes:
        """The payload of a PUBLISH."""
        body = self.parsed(record).body
        return b"" if record.type != PUBLISH or body is None else self._body(record, limit)[body:]

    def message_size(self, record: MqttPacket) -> int:
        """Its bytes."""
        return max(record.stop - self.body_start(record) - (self.parsed(record).body or 0), 0)

    def partner(self, position: int) -> int | None:
        return self._records[position].partner

    def complete(self, index: MessageIndex) -> bool:
        return self._records[index].complete

    def kind_and_text(self, record: MqttPacket) -> tuple[str, str]:
        parsed, kind = self.parsed(record), record.type
        number = [f"id {parsed.packet_id}"] if parsed.packet_id is not None else []
        words: list[str]
        if kind == CONNECT:
            version = {3: "3.1", 4: "3.1.1", 5: "5"}.get(parsed.version or 0, str(parsed.version))
            who = escaped(parsed.client_id) if parsed.client_id else sentence("(no identifier)")
            words = [f"MQTT {version}", sentence("as {who}", who=who)]
            words += [sentence("user {user}", user=parsed.user)] if parsed.user is not None else []
            words += [sentence("keep alive {seconds} s", seconds=parsed.keep_alive)]
            words += [sentence("clean")] if parsed.clean else []
            words += [sentence("will on {topic}", topic=parsed.will)] if parsed.will is not None else []
        elif kind == PUBLISH:
            words = [record.topic or "".join(parsed.topics), f"QoS {record.qos}", *number]
            words += [sentence("retain")] if record.first & 1 else []
            words += [sentence("again")] if record.first & 8 else []
            words.append(_payload_text(self.message(record, 4 * _TEXT), self.message_size(record)))
        elif kind in (SUBSCRIBE, UNSUBSCRIBE):
            topics = [f"{topic} QoS {qos}" for topic, qos in zip(parsed.topics, parsed.qos, strict=False)]
            words = [_some(topics or parsed.topics), *number]
        else:
            reasons = [reason_text(kind, reason, self.version) for reason in parsed.reasons]
            words = [_some(reasons), *number]
            words += [sentence("session present")] if parsed.present else []
        words += [text for name, text in parsed.properties if name == "reason"]
        return NAMES[kind], worded(words, _TEXT)

    def line(self, index: MessageIndex) -> MessageLine:
        line, record = super().line(index), self._records[index]
        kind = {SUBSCRIBE: "SUB", UNSUBSCRIBE: "UNSUB", DISCONNECT: "END"}.get(record.type, line.kind)
        troubled = record.type not in (CONNECT, PUBLISH) and any(
            reason >= FAILED for reason in self.parsed(record).reasons)
        return line._replace(kind=kind, control=record.type in _CONTROL, troubled=troubled)

    def content(self, index: MessageIndex, limit: int) -> bytes:
        record = self._records[index]
        return self.message(record, limit) if record.type == PUBLISH else super().content(index, limit)

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        record = self._records[index]
        parsed = self.parsed(record)
        properties = [f"{name}: {text}" for name, text in parsed.properties]
        if record.type != PUBLISH:
            return Shown((self.summary(record), *properties))
        data = self.message(record, limit)
        head = f"PUBLISH  {record.topic or ''.join(parsed.topics)}  QoS {record.qos}"
        more = self.message_size(record) - len(data)
        left = more > 0 and record.complete
        note = sentence("{size} more", size=amount(more, "byte")) if left else ""
        return Shown((head, *properties), data, _is_binary(data), note)

    def heading(self, record: MqttPacket) -> tuple[str, str]:
        return "MQTT", self.summary(record)

    def parts(self, record: MqttPacket) -> list[Part]:
        parsed, start, body = self.parsed(record), record.start, self.body_start(record)
        first = f"{NAMES[record.type]} ({record.type})"
        found = [Part("mqtt.msgtype", "Type", first, start, start + 1),
                 Part("mqtt.len", "Length", str(record.stop - body), start + 1, body)]
        number = None if parsed.packet_id is None else str(parsed.packet_id)
        names = [("mqtt.clientid", marked("Client"), parsed.client_id),
                 ("mqtt.username", marked("User"), parsed.user),
                 ("mqtt.willtopic", marked("Will topic"), parsed.will),
                 ("mqtt.kalive", marked("Keep alive"),
                  None if parsed.keep_alive is None else f"{parsed.keep_alive} s"),
                 ("mqtt.msgid", marked("Identifier"), number)]
        names += [("mqtt.topic", marked("Topic"), topic) for topic in parsed.topics[:_SHOWN]]
        names += [("mqtt.reason", marked("Reason"), reason_text(record.type, one, self.version))
                  for one in parsed.reasons[:_SHOWN]]
        names += [("mqtt.property", verbatim(name.capitalize()), text)
                  for name, text in parsed.properties[:_SHOWN]]
        more = sum(max(len(some) - _SHOWN, 0) for some in (parsed.topics, parsed.reasons, parsed.properties))
        if more or parsed.left:
            template = (marked("and {count:,} more, not shown, and others, not read") if parsed.left
                        else marked("and {count:,} more, not shown"))
            names.append(("", "…", sentence(template, count=more)))
        found += [Part(name, label, worded((text,), 400), body, record.stop)
                  for name, label, text in names if text]
        if parsed.body is not None and record.type == PUBLISH:
            text = _payload_text(self.message(record, 1600), self.message_size(record), 400)
            found.append(Part("mqtt.msg", "Message", text, min(body + parsed.body, record.stop), record.stop))
        return found


def _some(texts: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    left = len(texts) - _NAMED
    more = sentence("… {count:,} more", count=left) if left > 0 else ""
    return worded((*texts[:_NAMED], more), between=", ")


def _is_binary(data: bytes) -> bool:
    try:
        return b"\0" in data or not data.decode()
    except UnicodeDecodeError:
        return True


def _payload_text(data: bytes, size: int, limit: int = 120) -> str:
    if not size:
        return sentence("empty")
    return amount(size, "byte") if _is_binary(data) else escaped(data, limit)

