"""MySQL on one connection: greeting, login, commands and all that answers each of them.

    units ─> MyPacket ─> Message (a command; its OK, its error, its result sets) ─> partner

Packets are numbered anew with each command, so an answer is told from others even where bytes were lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.language import marked, sentence
from inspector.model.units import amount
from inspector.protocols.api import Hole, Part, Source, Start
from inspector.protocols.framing.exchanges import ExchangeDecoder, Message
from inspector.protocols.framing.units import MORE, Unit
from inspector.protocols.mysql.packets import (
    BOOK,
    CHANGE_USER,
    COMMANDS,
    COMPRESS,
    DEPRECATE_EOF,
    EOF,
    ERR,
    HEADER,
    IN_TRANSACTION,
    LARGEST,
    LOCAL_INFILE,
    MORE_RESULTS,
    NAMES_A_STATEMENT,
    OK,
    PREPARE,
    SILENT,
    SSL,
    STATISTICS,
    Parsed,
    command,
    eof,
    err,
    greeting,
    is_login,
    lenenc,
    login,
    ok,
    prepared,
)
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped, worded

GREETING, LOGIN, TLS, AUTH, COMMAND, DATA = "greeting", "login", "tls", "auth", "command", "data"
DONE, ERROR, SWITCH, COUNT, COLUMN, ROW, END, PREPARED, OTHER = (
    "OK", "ERR", "auth switch", "column count", "column", "row", "EOF", "prepared", "text")
READ = 1 << 16              # bytes of a packet that are read for its values
_TEXT, _SQL = 200, 120
_STATEMENTS = 1000
_KEPT = 32


@dataclass(slots=True)
class MyPacket:
    """One packet. `kind`: what it is, by its place: "command", "row", …; `command`: its code, -1 for none."""

    number: int
    direction: int
    start: int
    stop: int
    sequence: int
    kind: str
    command: int = -1
    complete: bool = True


class MysqlDecoder(ExchangeDecoder[MyPacket]):
    """Packets of both ends, up to TLS or compression."""

    cut_short = frozenset({"mysql.unanswered"})

    head = HEADER
    most = READ

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self.inferred = self.doubted
        offset = start.offsets[start.client]
        first = source.streams[start.client].read(offset, offset + 36)
        self._login = not self.doubted           # greeting, login and what follows, up to the first OK
        self._changes_user = False               # a login within the command phase, up to OK or ERR
        self._greeted = is_login(first) and not source.streams[1 - start.client].length
        self.capabilities = 0
        self._asked: Message | None = None       # waits for its answer
        self._answer: Message | None = None
        self._command = -1
        self._stage = ""                         # of the answer: COLUMN, ROW, PREPARED; "" at its begin
        self._left = 0                           # definitions to come
        self._statements: dict[int, str] = {}
        self._query: str = ""
        self.status = 0
        self._long: list[Message | None] = [None, None]     # goes on in the next packet

    # --- units -------------------------------------------------------------------------------------

    def measure(self, direction: int, head: bytes) -> int:
        return MORE if len(head) < HEADER else HEADER + int.from_bytes(head[:3], "little")

    def plausible(self, direction: int, head: bytes) -> bool:
        """Behind a hole only what begins a command, or an answer, is understood."""
        size = self.measure(direction, head)
        return 0 < size < 1 << 20 and head[3] == (0 if direction == self.client else 1)

    def ready(self, direction: int) -> bool:
        """The client speaks when it was greeted."""
        return direction != self.client or not self._login or bool(self._records) or self._greeted

    def _resume(self, direction: int, offset: int) -> int:
        self._forget()
        return super()._resume(direction, offset)

    def _forget(self) -> None:
        if self._answer is not None:
            self.close(self._answer)
        self._answer, self._asked, self._stage, self._login = None, None, OTHER, False
        self._long, self.status, self._changes_user = [None, None], 0, False

    def lose(self, hole: Hole) -> bool:
        self._stage = OTHER              # it is not known any more what the next packet of an answer is
        return super().lose(hole)

    def make(self, unit: Unit, data: bytes) -> None:
        payload, side = data[HEADER:], unit.direction
        record = MyPacket(len(self._records), side, unit.start, unit.stop, int.from_bytes(data[3:4], "big"),
                          DATA, complete=unit.whole)
        goes_on, self._long[side] = self._long[side], None
        if goes_on is not None:
            message = self.put(record, goes_on)
        elif side == self.client:
            message = self._from_client(record, payload)
        else:
            message = self._from_server(record, payload)
        if unit.stop - unit.start == HEADER + LARGEST:
            self._long[side] = message

    # --- the client --------------------------------------------------------------------------------

    def _from_client(self, record: MyPacket, payload: bytes) -> Message:
        if self._login:
            return self._log_in(record, payload)
        if self._changes_user and record.sequence:
            record.kind = AUTH
            self._asked = message = self.put(record, ends=True)
            return message
        if record.sequence:                      # a file for LOAD DATA LOCAL, or more for the login
            return self.put(record, ends=True)
        record.kind, record.command = COMMAND, payload[0] if payload else 0
        if self._answer is not None:
            self.close(self._answer)
        self._answer, self._stage, self._command = None, "", record.command
        self._changes_user = record.command == CHANGE_USER
        message = self.put(record, ends=True)
        parsed = command(payload, self.capabilities)
        self._query = parsed.text[: 2 * _TEXT]
        self._asked = None if record.command in SILENT else message
        return message

    def _log_in(self, record: MyPacket, payload: bytes) -> Message:
        message = self.put(record, ends=True)
        if not any(one.kind == LOGIN for one in self._records):
            parsed = login(payload)
            self.capabilities = parsed.capabilities or 0
            record.kind = TLS if len(payload) == 32 and self.capabilities & SSL else LOGIN
            if record.kind == TLS:
                first, second = self.pump.position
                self.successor = Start(self.client, (first, second), protocol="tls")
        else:
            record.kind = AUTH
        self._asked = message
        return message

    # --- the server --------------------------------------------------------------------------------

    def _from_server(self, record: MyPacket, payload: bytes) -> Message:
        first = payload[0] if payload else OK
        if self._login or self._changes_user:
            return self._welcome(record, first, payload)
        if self._answer is None and self._asked is None:
            self._stage = OTHER                  # the command was lost
        fresh = self._answer is None
        record.kind = self._kind_of(first, payload)
        answer = self._answer = self.put(record, self._answer)
        if fresh and self._asked is not None:
            self.pair(self._asked, answer)
            self._asked = None
        if record.kind == ROW:
            answer.counted += 1
        elif record.kind != COLUMN and len(answer.kept) < _KEPT:
            answer.kept += (record.number,)
        self._go_on(record, payload, answer)
        return answer

    def _kind_of(self, first: int, payload: bytes) -> str:
        """What a packet of an answer is, by what came before it."""
        stage, size = self._stage, len(payload)
        if stage == OTHER:
            return OTHER
        if first == ERR and stage in ("", ROW):
            return ERROR
        if stage == "":
            if self._command == PREPARE:
                return PREPARED if first == OK else OTHER
            if self._command == STATISTICS:
                return OTHER
            if first == OK or (first == EOF and size < 9):
                return DONE
            return OTHER if first == LOCAL_INFILE else COUNT
        if stage == ROW:
            ends = first == EOF and (size < 9 or (self.capabilities & DEPRECATE_EOF and size < LARGEST))
            return END if ends else ROW
        return END if first == EOF and size < 9 else COLUMN

    def _go_on(self, record: MyPacket, payload: bytes, answer: Message) -> None:
        """What the next packet of the answer will be, or that there is none."""
        kind, new = record.kind, bool(self.capabilities & DEPRECATE_EOF)
        if kind == COUNT:
            self._left, self._stage = lenenc(payload, 0)[0], COLUMN
        elif kind == PREPARED:
            parsed = prepared(payload)
            if self._query and len(self._statements) < _STATEMENTS:
                self._statements[parsed.statement or 0] = self._query
            self._left, self._stage = parsed.parameters + (parsed.columns or 0), PREPARED
            ends = 0 if new else bool(parsed.parameters) + bool(parsed.columns)
            self._left += ends
            if not self._left:
                self._end(answer)
        elif self._stage == PREPARED:
            self._left -= 1
            if not self._left:
                self._end(answer)
        elif kind == COLUMN:
            self._left -= 1
            if self._left <= 0 and new:
                self._stage = ROW
        elif kind == END and self._stage == COLUMN:
            self._stage = ROW
        elif kind in (DONE, END):
            parsed = self._ending(payload)
            self.status = parsed.status or 0
            self._stage = ""
            if not self.status & MORE_RESULTS:
                self._end(answer)
        elif kind == ERROR:
            self._report_error(record, payload, answer)
            self._end(answer)

    def _ending(self, payload: bytes) -> Parsed:
        return ok(payload) if payload[:1] != b"\xfe" or self.capabilities & DEPRECATE_EOF else eof(payload)

    def _end(self, answer: Message) -> None:
        self.close(answer)
        self._answer, self._stage = None, OTHER

    def _welcome(self, record: MyPacket, first: int, payload: bytes) -> Message:
        """A packet of the server before the first command, or while the user is changed."""
        if not self._records:
            record.kind = GREETING if first != ERR else ERROR
        else:
            record.kind = {OK: DONE, ERR: ERROR, EOF: SWITCH}.get(first, AUTH)
        message = self.put(record, ends=True)
        message.kept += (record.number,)
        if self._asked is not None:
            self.pair(self._asked, message)
            self._asked = None
        if record.kind == DONE:
            self._login, self.status = False, ok(payload).status or 0
            self.over = bool(self.capabilities & COMPRESS)
            self.left = marked("compressed, as both agreed") if self.over else ""
        elif record.kind == ERROR:
            self._report_error(record, payload, message)
        self._changes_user = self._changes_user and record.kind not in (DONE, ERROR)
        return message

    def _report_error(self, record: MyPacket, payload: bytes, message: Message) -> None:
        message.troubled = True
        parsed = err(payload)
        state = f" ({parsed.state})" if parsed.state else ""
        what = sentence(
            "The server answers {error}{state} \"{said}\"", error=parsed.error, state=state,
            said=escaped(parsed.text, _SQL))
        place = record.direction, record.start, record.stop
        if self._login or self._changes_user:
            self.explained_end = True
            self.findings.append(BOOK.finding("mysql.refused", sentence("{what}.", what=what), *place))
        else:
            about = sentence(" to {query}", query=escaped(self._query, _SQL)) if self._query else ""
            self.findings.append(BOOK.finding("mysql.error-response", sentence(
                "{what}{about}.", what=what, about=about), *place))

    # --- the end -----------------------------------------------------------------------------------

    def unanswered(self) -> Sequence[int]:
        if self._done or self.doubted or self._asked is None:
            return ()
        return (self._asked.records[0],)

    def end(self, first: int, reset: bool) -> None:
        if self._done or self.doubted:
            return
        for direction, stream in enumerate(self.source.streams):
            start = self.pump.position[direction]
            if stream.contiguous > start and self.ready(direction):
                what = sentence(
                    "The connection ended after {size} of a packet.",
                    size=amount(stream.contiguous - start, "byte"))
                self.findings.append(BOOK.finding("mysql.incomplete-packet", what, direction, start,
                                                  stream.contiguous))
                return
        last = self._records[-1] if self._records else None
        quits = last is not None and last.command == 1
        who = "client" if first == self.client or quits else "server"
        how = marked("resets") if reset and not quits else marked("ends")
        if self._asked is not None:
            record = self._records[self._asked.records[0]]
            what = sentence(
                "\"{message_summary}\" got no answer before the {who} {how} the connection.",
                message_summary=self.message_summary(self._asked.index), who=sentence(who), how=sentence(how))
            self.findings.append(BOOK.finding("mysql.unanswered", what, record.direction, record.start,
                                              record.stop))
        elif self.status & IN_TRANSACTION and last is not None:
            what = sentence(
                "The {who} {how} the connection in a transaction: what it changed is rolled back.",
                who=sentence(who),
                how=sentence(how))
            self.findings.append(BOOK.finding("mysql.open-transaction", what, last.direction, last.start,
                                              last.stop))

    # --- words -------------------------------------------------------------------------------------

    def parsed(self, record: MyPacket) -> Parsed:
        """What a packet says, read again."""
        return self.reread(record, self._parsed)

    def _parsed(self, record: MyPacket) -> Parsed:
        stream = self.source.streams[record.direction]
        data = stream.read(record.start + HEADER, min(record.stop, record.start + READ))
        readers = {GREETING: greeting, LOGIN: login, TLS: login, DONE: ok, END: self._ending, ERROR: err,
                   PREPARED: prepared}
        if record.kind == COMMAND:
            return command(data, self.capabilities)
        if record.kind == COUNT:
            return Parsed(columns=lenenc(data, 0)[0])
        return readers[record.kind](data) if record.kind in readers else Parsed()

    def time_ns(self, record: MyPacket) -> int | None:
        """For an answer: nanoseconds from the command's last byte to this packet's last one."""
        return self.answer_time(record.number)

    def kind_and_text(self, record: MyPacket) -> tuple[str, str]:
        if record.kind == COMMAND:
            return COMMANDS.get(record.command, f"command {record.command}"), self._words(record)
        return record.kind, self._words(record)

    def _words(self, record: MyPacket) -> str:
        parsed = self.parsed(record)
        words: list[str] = []
        if record.kind == ERROR:
            words = [f"{parsed.error}", parsed.state, parsed.text]
        elif record.kind in (DONE, END):
            rows = amount(parsed.affected or 0, "row")
            words = [sentence("{rows} affected", rows=rows) if parsed.affected else "",
                     f"id {parsed.inserted}" if parsed.inserted else "",
                     parsed.text if record.kind == DONE else "",
                     amount(parsed.warnings, "warning") if parsed.warnings else "",
                     sentence("in a transaction") if (parsed.status or 0) & IN_TRANSACTION else ""]
        elif record.kind == GREETING:
            words = [parsed.version]
        elif record.kind == LOGIN:
            words = [f"user={parsed.user}", f"database={parsed.schema}" if parsed.schema else ""]
        elif record.command in NAMES_A_STATEMENT:
            known = self._statements.get(parsed.statement or 0)
            words = [known or sentence("statement {number}", number=parsed.statement)]
        elif record.kind in (COUNT, PREPARED):
            words = [amount(parsed.columns or 0, "column"),
                     amount(parsed.parameters, "parameter") if record.kind == PREPARED else ""]
        else:
            words = [parsed.text or (amount(record.stop - record.start - HEADER, "byte"))]
        return worded(words, _TEXT)

    def message_words(self, message: Message) -> tuple[str, str]:
        first = self._records[message.records[0]]
        if first.direction == self.client:
            kind, text = self.kind_and_text(first)
            if first.kind != COMMAND:
                kind = {LOGIN: "LOGIN", TLS: "TLS", AUTH: "AUTH"}.get(first.kind, "DATA")
            return kind, "" if first.kind == TLS else text if first.kind != AUTH else sentence("not shown")
        records = [self._records[position] for position in message.kept] or [first]
        shown = (DONE, END, ERROR, PREPARED, GREETING, OTHER)
        words = [self._words(one) for one in records if one.kind in shown]
        kinds = {one.kind for one in records}
        if ERROR in kinds:
            kind = "ERROR"
        elif COUNT in kinds:
            kind, words = "ROWS", [amount(message.counted, "row"), *words]
        else:
            kind = {GREETING: "SERVER", AUTH: "AUTH", SWITCH: "AUTH"}.get(first.kind, "OK")
        return kind, worded(words, _TEXT)

    def heading(self, record: MyPacket) -> tuple[str, str]:
        return "MySQL", self.summary(record)

    def parts(self, record: MyPacket) -> list[Part]:
        parsed, start, stop = self.parsed(record), record.start, record.stop
        found = [Part("mysql.packet_length", "Length", str(stop - start - HEADER), start, start + 3),
                 Part("mysql.packet_number", "Number", str(record.sequence), start + 3, start + HEADER)]
        values = [("command", marked("Command"), COMMANDS.get(record.command, "")),
                  ("version", marked("Version"), parsed.version),
                  ("user", marked("User"), parsed.user), ("schema", marked("Database"), parsed.schema),
                  ("error_code", marked("Error"), "" if parsed.error is None else str(parsed.error)),
                  ("sqlstate", marked("State"), parsed.state), ("text", marked("Text"), parsed.text)]
        found += [Part(f"mysql.{name}", label, escaped(text, 400), start + HEADER, stop)
                  for name, label, text in values if text]
        if len(found) == 2 and stop > start + HEADER:
            size = amount(stop - start - HEADER, "byte")
            found.append(Part("mysql.payload", record.kind.capitalize(), size, start + HEADER, stop))
        return found
