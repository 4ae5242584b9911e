"""PostgreSQL on one connection: which answer belongs to which query, and in which transaction.

    units ─> PgMessage (one of the protocol's messages) ─> Message (a query; all up to "ready for query")

The server answers in the order of the queries. A simple query, and a batch of the extended protocol up to
its Sync, end with ReadyForQuery; a batch up to a Flush with the last answer that it asks for. Once bytes are
lost nobody knows what is outstanding: nothing is paired until turns of one query and one answer come again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.language import marked, sentence, verbatim
from inspector.model.units import amount
from inspector.protocols.api import Hole, Part, Source, Start
from inspector.protocols.framing.exchanges import ExchangeDecoder, Message
from inspector.protocols.framing.units import Unit
from inspector.protocols.postgresql.findings import BOOK
from inspector.protocols.postgresql.start import message_size, resumes, startup_size
from inspector.protocols.postgresql.values import (
    ANSWER,
    AUTHENTICATIONS,
    BACKEND,
    CANCEL,
    CODES,
    FRONTEND,
    GSS,
    LOGINS,
    SSL,
    STARTUP,
    Body,
    read,
    value_text,
)
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped, worded

STATUS = {ord("I"): "idle", ord("T"): "in a transaction", ord("E"): "in a failed transaction"}
_SHOWN = 64                    # values of a message in its detail
READ = 1 << 16                # bytes of a message that are read for its values
_TEXT = 200                    # characters of a line
_SQL = 120                     # and of a query in a finding
_KEPT = 32                  # records of an answer, without its rows, of which a line is made
_STATEMENTS = 1000             # prepared statements whose text is kept
_TURNS = 2                     # turns of one query and one answer, after which pairing is sure again
_ASKS_BACK = (0, 12)           # authentication requests after which the server goes on itself
_ENDINGS = ("1", "2", "3", "T", "n", "C", "I", "s")     # answers of which each part of a batch gets one
_QUIET = {"1", "2", "t", "Z", "S", "K", "R", "3", "n"}  # answers that are not worth a word in a line
_FATAL = ("FATAL", "PANIC")


@dataclass(slots=True)
class PgMessage:
    """One message of the protocol. `type`: its first byte, or a word for what has none (values.SSL, …)."""

    number: int
    direction: int
    start: int
    stop: int
    type: str
    complete: bool = True


@dataclass(slots=True)
class _Request:
    """A message of the client that waits: for ReadyForQuery, or for so many answers of a flushed batch."""

    message: Message
    answers: int = 0


class PostgresqlDecoder(ExchangeDecoder[PgMessage]):
    """Messages of both ends, up to TLS or GSSAPI, where the server takes it."""

    cut_short = frozenset({"pgsql.unanswered-query"})

    head = 64
    most = READ

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self.inferred = self.doubted
        self._before = not self.doubted              # the client's next packet has no type
        self._asked = ""                             # SSL or GSS, while the server's byte is awaited
        self._waiting: deque[_Request] = deque()
        self._batch: Message | None = None           # of the extended protocol, before its Sync or Flush
        self._steps = 0                              # answers that its parts ask for
        self._failed = False                         # the server reads on to the next Sync
        self._answer: Message | None = None
        self._copies: list[Message | None] = [None, None]
        self._both = False                           # a replication stream
        self._sure = not self.doubted
        self._turn: list[Message] = []               # queries since the last ReadyForQuery, while not sure
        self._turns: list[tuple[Message, Message]] = []
        self._statements: dict[str, str] = {}
        self.status: int | None = None
        self._requested = 0                          # the authentication that was asked for last
        self._logins: dict[int, int] = {}            # of the client's answers to it, by number of record
        self._fatal = False

    # --- units -------------------------------------------------------------------------------------

    def measure(self, direction: int, head: bytes) -> int:
        if direction == self.client and self._before:
            size = startup_size(head)        # where bytes lack it may be over, and nobody saw it
            return size if size >= 0 or not self.doubted else message_size(True, head)
        if direction != self.client and self._asked and head[:1] in (b"S", b"N", b"G"):
            return 1
        return message_size(direction == self.client, head)

    def plausible(self, direction: int, head: bytes) -> bool:
        begins = direction == self.client and self._before and startup_size(head) > 0
        return begins or resumes(direction == self.client, head)

    def ready(self, direction: int) -> bool:
        """The client waits for what the server says to TLS."""
        return direction != self.client or not self._asked

    def foreign(self, direction: int, start: int) -> None:
        who = "client" if direction == self.client else "server"
        what = sentence("What the {who} sends here is no message of PostgreSQL's protocol.",
                        who=sentence(who))
        self.findings.append(BOOK.finding("pgsql.no-message", what, direction, start, start + 5))

    def _resume(self, direction: int, offset: int) -> int:
        self._unsettle()
        return super()._resume(direction, offset)

    def _unsettle(self) -> None:
        """From now on it is not known which query an answer belongs to."""
        self._sure = self._failed = False
        self.doubted = True
        self._asked = ""
        self._waiting.clear()
        self._turn, self._turns = [], []
        for message in (self._batch, self._answer, *self._copies):
            if message is not None:
                self.close(message)
        self._batch = self._answer = None
        self._copies = [None, None]
        self.status = None

    def make(self, unit: Unit, data: bytes) -> None:
        where = len(self._records), unit.direction, unit.start, unit.stop
        if unit.direction == self.client:
            begins = self._before and startup_size(data[:8]) > 0
            kind = CODES.get(int.from_bytes(data[4:8], "big"), STARTUP) if begins else chr(data[0])
            self._before = False
            self._from_client(PgMessage(*where, kind, unit.whole), data)
        else:
            kind = ANSWER if self._asked and unit.stop - unit.start == 1 else chr(data[0])
            self._from_server(PgMessage(*where, kind, unit.whole), data)

    # --- the client --------------------------------------------------------------------------------

    def _from_client(self, record: PgMessage, data: bytes) -> None:
        kind = record.type
        if kind in "PBDEC":
            self._batch = self.put(record, self._batch)
            self._steps += 1
            if kind == "P" and record.complete:
                self._remember(read(True, kind, data[5:]))
        elif kind in "SH":
            self._send_batch(record)
        elif kind in "dcf":
            self._copy(record)
        else:
            message = self.put(record, ends=True)
            self._before = kind in (SSL, GSS)
            self._asked = kind if self._before else ""
            if kind == "p":
                self._logins[record.number] = self._requested
            if kind not in ("X", CANCEL):
                self._ask(_Request(message))

    def _remember(self, body: Body) -> None:
        if len(self._statements) < _STATEMENTS or body.statement in self._statements:
            self._statements[body.statement or ""] = body.query[: 2 * _TEXT]

    def _send_batch(self, record: PgMessage) -> None:
        message = self.put(record, self._batch, ends=True)
        steps, self._steps, self._batch = self._steps, 0, None
        if record.type == "S":
            self._failed = False
            self._ask(_Request(message))
        elif steps and not self._failed:
            self._ask(_Request(message, steps))

    def _copy(self, record: PgMessage) -> None:
        """Data of COPY: all of it is one message; of a replication stream each piece."""
        side = record.direction
        ends = record.type != "d" or self._both
        message = self.put(record, self._copies[side], ends=ends)
        message.counted += record.type == "d"
        self._copies[side] = None if ends else message

    def _ask(self, request: _Request) -> None:
        if self._sure:
            self._waiting.append(request)
        elif not request.answers:
            self._turn.append(request.message)

    # --- the server --------------------------------------------------------------------------------

    def _from_server(self, record: PgMessage, data: bytes) -> None:
        kind = record.type
        if kind == ANSWER:
            self._choose(record, data)
        elif kind == "A" or (kind in "NSvE" and self._answer is None and not self._waiting):
            self._note_error(record, data, self.put(record, ends=True))
        else:
            self._answer_with(record, data)

    def _choose(self, record: PgMessage, data: bytes) -> None:
        """The byte that says whether the connection goes on with TLS."""
        asked, self._asked = self._asked, ""
        message = self.put(record, ends=True)
        if self._waiting:
            self.pair(self._waiting.popleft().message, message)
        if data in (b"S", b"G"):
            first, second = self.pump.position
            self.over = asked == GSS
            self.left = marked("encrypted by GSSAPI") if self.over else ""
            if not self.over:
                self.successor = Start(self.client, (first, second), protocol="tls")

    def _answer_with(self, record: PgMessage, data: bytes) -> None:
        kind = record.type
        if self._answer is None and self._sure and not self._waiting:
            self._unsettle()                 # the capture lacks the query
        fresh = self._answer is None
        self._answer = answer = self.put(record, self._answer)
        if kind in "Dd":
            answer.counted += 1
        elif len(answer.kept) < _KEPT:
            answer.kept += (record.number,)
        if fresh and self._waiting:
            self.pair(self._waiting[0].message, answer)
        if kind in "EN":
            self._note_error(record, data, answer)
        elif kind == "W":
            self._both = True
        code = read(False, kind, data[5:]).authentication if kind == "R" else None
        self._requested = code if code is not None else self._requested
        if kind == "Z":
            self.status = data[5] if len(data) > 5 else None
            self._end_answer(turn=True)
        elif (code is not None and code not in _ASKS_BACK) or (kind == "E" and self._fatal) or (
                self._both and kind in "Wdc"):
            self._end_answer()
        elif self._waiting and self._waiting[0].answers and kind in (*_ENDINGS, "E"):
            self._step(kind)

    def _step(self, kind: str) -> None:
        """One answer to a batch that was flushed; after an error the rest gets none."""
        request = self._waiting[0]
        request.answers -= 1
        if kind == "E":
            request.answers, self._failed = 0, True
            while len(self._waiting) > 1 and self._waiting[1].answers:
                del self._waiting[1]
            self._failed = len(self._waiting) < 2
        if not request.answers:
            self._end_answer()

    def _end_answer(self, turn: bool = False) -> None:
        answer, self._answer = self._answer, None
        assert answer is not None
        self.close(answer)
        if self._waiting:
            self._waiting.popleft()
        if not self._sure and turn:
            self._settle(answer)

    def _settle(self, answer: Message) -> None:
        """After turns of one query and one answer each, pairing is sure again; these are paired too."""
        asked, self._turn = self._turn, []
        if len(asked) != 1 or asked[0].index > answer.index:
            self._turns = []
            return
        self._turns.append((asked[0], answer))
        if len(self._turns) == _TURNS:
            self._sure = True
            for query, its in self._turns:
                self.pair(query, its)
            self._turns = []

    def _note_error(self, record: PgMessage, data: bytes, message: Message) -> None:
        if record.type != "E":
            return
        message.troubled = True
        if not record.complete:
            data = data[: data.rfind(b"\0") + 1]          # what is cut is no value
        body = read(False, "E", data[5:])
        severity = body.of_error("level") or body.of_error("severity") or "ERROR"
        self._fatal = severity in _FATAL
        self.explained_end = self.explained_end or self._fatal
        query = "" if message.partner is None else self._query_of(self._messages[message.partner])
        text = escaped(body.of_error("message"), _SQL)
        what = sentence(
            "The server answers {severity} {of_error} \"{said}\"{about}.", severity=severity,
            of_error=body.of_error("code"), said=text,
            about=sentence(" to {query}", query=escaped(query, _SQL)) if query else "")
        hint = body.of_error("hint")
        rule = "pgsql.fatal-error" if self._fatal else "pgsql.error-response"
        self.findings.append(BOOK.finding(rule, what, record.direction, record.start, record.stop,
                                          instead=sentence("Its hint: {hint}", hint=escaped(hint, _SQL))
                                          if hint else ""))

    # --- the end -----------------------------------------------------------------------------------

    def lose(self, hole: Hole) -> bool:
        if self._asked or self._before:
            self._unsettle()
        return super().lose(hole)

    def end(self, first: int, reset: bool) -> None:
        if self._done or self.doubted or any(self._lost):
            return
        for direction, stream in enumerate(self.source.streams):
            start = self.pump.position[direction]
            if stream.contiguous > start:
                what = sentence(
                    "The connection ended after {size} of a message.",
                    size=amount(stream.contiguous - start, "byte"))
                self.findings.append(BOOK.finding("pgsql.incomplete-message", what, direction, start,
                                                  stream.contiguous))
                return
        last = self._records[-1] if self._records else None
        asked = last is not None and last.type == "X"
        who = "client" if first == self.client or asked else "server"
        how = marked("resets") if reset and not asked else marked("ends")
        if last is not None and last.type == ANSWER:
            what = sentence(
                "The server speaks no TLS (it answers \"N\"), and the {who} {how} the connection.",
                                                          who=sentence(who),
                how=sentence(how))
            self.findings.append(BOOK.finding("pgsql.no-tls", what, last.direction, last.start, last.stop))
        elif not self._fatal and self._waiting:
            self._accuse_of_silence(sentence("the {who} {how} the connection", who=sentence(who),
                                             how=sentence(how)))
        elif self.status in (ord("T"), ord("E")) and not self._fatal:
            place = self._records[self._messages[-1].records[-1]]
            what = sentence(
                "The {who} {how} the connection {status}: what it changed is rolled back.",
                who=sentence(who), how=sentence(how),
                status=sentence(STATUS[self.status]))
            self.findings.append(BOOK.finding("pgsql.open-transaction", what, place.direction, place.start,
                                              place.stop))

    def unanswered(self) -> Sequence[int]:
        if self._done or self.doubted or any(self._lost) or self._fatal:
            return ()
        return [request.message.records[0] for request in self._waiting
                if self._records[request.message.records[0]].type != "p"
                and request.message.partner is None]

    def _accuse_of_silence(self, how: str) -> None:
        for request in self._waiting:
            record = self._records[request.message.records[0]]
            if record.type == "p":
                continue                  # the client looks for a password, and comes again
            if self.findings.full("pgsql.unanswered-query", record.direction, record.start):
                continue
            asked = self._query_of(request.message) or FRONTEND.get(record.type, "")
            what = sentence(
                "\"{asked}\" got no whole answer before {how}.", asked=escaped(asked, _SQL), how=how)
            self.findings.append(BOOK.finding("pgsql.unanswered-query", what, record.direction, record.start,
                                              record.stop))

    # --- words -------------------------------------------------------------------------------------

    def body_of(self, record: PgMessage) -> Body:
        """What a message of the protocol says, read again."""
        return self.reread(record, self._body)

    def _body(self, record: PgMessage) -> Body:
        stream = self.source.streams[record.direction]
        data = stream.read(record.start, min(record.stop, record.start + READ))
        skip = {STARTUP: 4, SSL: 4, GSS: 4, CANCEL: 4, ANSWER: 0}.get(record.type, 5)
        return read(record.direction == self.client, record.type, data[skip:])

    def type_name(self, record: PgMessage) -> str:
        """`Simple query`, `Data row`, as Wireshark names them."""
        if record.type == "p" and record.direction == self.client:
            return LOGINS.get(self._logins.get(record.number, 0), FRONTEND["p"])
        names = FRONTEND if record.direction == self.client else BACKEND
        return names.get(record.type, record.type)

    def time_ns(self, record: PgMessage) -> int | None:
        """For an answer: nanoseconds from the query's last byte to this record's last one."""
        return self.answer_time(record.number)

    def kind_and_text(self, record: PgMessage) -> tuple[str, str]:
        return self.type_name(record), self._words(record)

    def _words(self, record: PgMessage) -> str:
        """What one message of the protocol says, without its name."""
        body, kind = self.body_of(record), record.type
        asks = record.direction == self.client
        if kind in (STARTUP, "S", "v") and body.parameters:
            return escaped("  ".join(f"{name}={value}" for name, value in body.parameters), _TEXT)
        if kind in "EN" and body.error:
            severity = body.of_error("level") or body.of_error("severity")
            return escaped(f"{severity} {body.of_error('code')} {body.of_error('message')}".strip(), _TEXT)
        if kind == "R" and body.authentication is not None:
            known = AUTHENTICATIONS.get(body.authentication)
            return known or sentence("type {number}", number=body.authentication)
        if kind == "Z":
            return sentence(STATUS[body.status]) if body.status in STATUS else ""
        if kind == "A":
            return f"{body.channel}  {escaped(body.text, _TEXT)}".rstrip()
        if kind == "T":
            return escaped(", ".join(body.columns), _TEXT)
        if kind == "d" or (kind in "cp" and asks):
            size = record.stop - record.start - 5
            whole = amount(size, "byte")
            return "" if kind == "c" else sentence("{size}, not shown", size=whole) if kind == "p" else whole
        texts = [escaped(body.query, _TEXT), body.tag, body.text, body.statement or "", body.portal or ""]
        values = ", ".join(value_text(value) for value in body.values[:12])
        left = len(body.values) - 12
        listed = worded((values, sentence("… {count:,} more", count=left) if left > 0 else ""), between=", ")
        found = "  ".join(text for text in texts if text)
        bound = sentence("({values})", values=listed) if body.values and asks else ""
        return worded((found, bound)) if bound else found or listed

    def _query_of(self, message: Message) -> str:
        """The SQL of a message of the client, the values that were bound behind it; "" where it has none."""
        found: list[str] = []
        for position in message.records[:16]:
            record = self._records[position]
            body = self.body_of(record)
            if record.type in ("Q", "P"):
                found.append(body.query)
            elif record.type == "B":
                values = ", ".join(value_text(value) for value in body.values[:8])
                name = body.statement or ""
                query = "" if found else self._statements.get(name, f"statement {name}")
                found += [text for text in (query, f"({values})" if values else "") if text]
        return escaped("  ".join(found), _TEXT)

    def message_words(self, message: Message) -> tuple[str, str]:
        first = self._records[message.records[0]]
        if first.direction != self.client:
            return self._answer_words(message)
        if first.type in "dcf":
            failed = sentence("given up") if self._records[message.records[-1]].type == "f" else ""
            sizes = worded((amount(message.counted, "piece"), amount(message.size, "byte")), between=", ")
            return "COPY", worded((sizes, failed))
        kinds = {"Q": "QUERY", "p": "LOGIN", "X": "END", "F": "CALL", STARTUP: "STARTUP", SSL: "TLS?",
                 GSS: "GSSAPI?", CANCEL: "CANCEL", "S": "SYNC", "H": "FLUSH"}
        if first.type in kinds:
            return kinds[first.type], "" if first.type in (SSL, GSS) else self._words(first)
        types = {self._records[position].type for position in message.records[:64]}
        runs = sum(self._records[position].type == "E" for position in message.records)
        kind = "EXECUTE" if runs else "PREPARE" if "P" in types else "DESCRIBE" if "D" in types else "CLOSE"
        more = sentence("… {count:,} more", count=runs - 1) if runs > 1 else ""
        return kind, worded((self._query_of(message) or self._words(first), more))

    def _answer_words(self, message: Message) -> tuple[str, str]:
        """`ROWS  3 rows  SELECT 3`, `ERROR  42P01 …`, with the transaction where one is open."""
        shown = [self._records[position] for position in message.kept or message.records[:1]]
        types, first = [one.type for one in shown], self._records[message.records[0]].type
        words = [self._words(one) for one in shown if one.type not in _QUIET and one.type != "T"]
        words += [self._words(one) for one in shown if one.type == "T" and types.count("T") == 1]
        if "E" in types:
            kind, words = "ERROR", [word.removeprefix("ERROR ") for word in words]
        elif message.counted or ("T" in types and "C" in types):
            kind, words = "ROWS", [amount(message.counted, "row"), *words]
        elif len(message.records) == 1 or first == "R":
            kind = {"A": "NOTIFY", "N": "NOTICE", "S": "SET", "R": "LOGIN", ANSWER: "TLS"}.get(first, "OK")
            words = words or [self._words(shown[0])]
        else:
            kind = "OK"
        last = self._records[message.records[-1]]
        status = self.body_of(last).status if last.type == "Z" and len(message.records) > 1 else None
        if status in (ord("T"), ord("E")):
            words.append(sentence(STATUS[status or 0]))
        return kind, worded(words, _TEXT)

    def heading(self, record: PgMessage) -> tuple[str, str]:
        return "PostgreSQL", self.summary(record)

    def parts(self, record: PgMessage) -> list[Part]:
        """Type, length, and each value; all stand at the record's bytes."""
        body, (start, stop) = self.body_of(record), (record.start, record.stop)
        found: list[Part] = []
        at = start
        if len(record.type) == 1:
            name = f"{self.type_name(record)} ({record.type})"
            found.append(Part("pgsql.type", "Type", name, start, start + 1))
            at += 1
        if record.type != ANSWER:
            found.append(Part("pgsql.length", "Length", str(stop - at), at, at + 4))
            at += 4
        lines = [("pgsql.query", marked("Query"), body.query),
                 ("pgsql.statement", marked("Statement"), body.statement),
                 ("pgsql.portal", marked("Portal"), body.portal), ("pgsql.tag", marked("Tag"), body.tag),
                 ("pgsql.condition", marked("Channel"), body.channel),
                 ("pgsql.text", marked("Text"), body.text)]
        lines += [("pgsql.parameter", verbatim(name), value) for name, value in body.parameters]
        lines += [(f"pgsql.{name}", name.capitalize(), text) for name, text in body.error]
        lines += [("pgsql.col.name", marked("Column"), name) for name in body.columns]
        lines += [("pgsql.val.data", marked("Value"), value_text(value, 200))
                  for value in body.values[:_SHOWN]]
        more = max(len(body.values) - _SHOWN, 0) + max(body.count - len(body.values) - len(body.columns), 0)
        lines += [("", "…", sentence("and {count:,} more, not shown", count=more))] if more else []
        found += [Part(name, label, worded((text,), 400), at, stop) for name, label, text in lines if text]
        return found

