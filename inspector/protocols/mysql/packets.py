"""Packets of MySQL's and MariaDB's protocol 10: bytes to values; what is not there is 0 or "".

Numbers are little-endian. Source: MySQL internals, "Client/Server Protocol"; MariaDB's of that name.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.wire.findings import Rule, Rulebook
from inspector.wire.text import escaped

COMMANDS = {
    0: "SLEEP", 1: "QUIT", 2: "INIT_DB", 3: "QUERY", 4: "FIELD_LIST", 5: "CREATE_DB", 6: "DROP_DB",
    7: "REFRESH",
    9: "STATISTICS", 10: "PROCESS_INFO", 12: "PROCESS_KILL", 13: "DEBUG", 14: "PING", 17: "CHANGE_USER",
    18: "BINLOG_DUMP", 21: "REGISTER_SLAVE", 22: "PREPARE", 23: "EXECUTE", 24: "LONG_DATA", 25: "STMT_CLOSE",
    26: "STMT_RESET", 27: "SET_OPTION", 28: "FETCH", 30: "BINLOG_DUMP_GTID", 31: "RESET",
}
QUIT, INIT_DB, QUERY, STATISTICS, CHANGE_USER, PREPARE, EXECUTE, LONG_DATA, STMT_CLOSE = (
    1, 2, 3, 9, 17, 22, 23, 24, 25)
SILENT = (QUIT, LONG_DATA, STMT_CLOSE)               # commands that get no answer
TEXT_COMMANDS = (INIT_DB, QUERY, PREPARE, 5, 6)
NAMES_A_STATEMENT = (EXECUTE, LONG_DATA, STMT_CLOSE, 26, 28)
COMPRESS, SSL, DEPRECATE_EOF, ATTRIBUTES = 1 << 5, 1 << 11, 1 << 24, 1 << 27
_WITH_DB, _LENENC_AUTH, _SECURE = 1 << 3, 1 << 21, 1 << 15
IN_TRANSACTION, MORE_RESULTS = 1, 8
OK, LOCAL_INFILE, EOF, ERR = 0x00, 0xFB, 0xFE, 0xFF
HEADER = 4
LARGEST = 0xFFFFFF           # a packet of this length goes on in the next one
_MANUAL = "MySQL protocol"
BOOK = Rulebook(
    Rule("mysql.error-response", "note", f"{_MANUAL}, ERR_Packet", "Look at the statement that it answers."),
    Rule("mysql.refused", "warning", f"{_MANUAL}, connection phase",
         "Look at user, password and host, and at the server's limits."),
    Rule("mysql.unanswered", "warning", f"{_MANUAL}, command phase",
         "Every command should get its answer before the connection ends."),
    Rule("mysql.open-transaction", "warning", f"{_MANUAL}, status flags",
         "COMMIT or ROLLBACK should come first."),
    Rule("mysql.incomplete-packet", "error", f"{_MANUAL}, packets",
         "The sender should close only after all that it announced."),
)


@dataclass(slots=True)
class Parsed:
    """What a packet says; what it does not have is None or "". `status`: flags of the server."""

    version: str = ""
    capabilities: int | None = None
    user: str = ""
    schema: str = ""
    text: str = ""
    statement: int | None = None
    parameters: int = 0
    columns: int | None = None
    affected: int | None = None
    inserted: int | None = None
    warnings: int = 0
    status: int | None = None
    error: int | None = None
    state: str = ""


def number(data: bytes, at: int, size: int) -> int:
    """A number of fixed size."""
    return int.from_bytes(data[at : at + size], "little")


def lenenc(data: bytes, at: int) -> tuple[int, int]:
    """A length-encoded number, and the place behind it."""
    first = data[at] if at < len(data) else 0
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    return (number(data, at + 1, size), at + 1 + size) if size else (first, at + 1)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    end = len(data) if end < 0 else end
    return escaped(data[at:end]), end + 1


def greeting(data: bytes) -> Parsed:
    """The server's first packet."""
    version, at = _text(data, 1)
    low, high = number(data, at + 13, 2), number(data, at + 18, 2)
    return Parsed(version=version, capabilities=low | high << 16)


def login(data: bytes) -> Parsed:
    """The client's answer to it; with 32 bytes it only asks for TLS."""
    flags = number(data, 0, 4)
    if len(data) <= 32:
        return Parsed(capabilities=flags)
    user, at = _text(data, 32)
    if flags & _LENENC_AUTH:
        size, at = lenenc(data, at)
        at += size
    elif flags & _SECURE:
        at += 1 + (data[at] if at < len(data) else 0)
    else:
        at = _text(data, at)[1]
    schema, _ = _text(data, at) if flags & _WITH_DB else ("", at)
    return Parsed(capabilities=flags, user=user, schema=schema)


def command(data: bytes, capabilities: int) -> Parsed:
    """A packet of the client in the command phase."""
    kind = data[0] if data else 0
    if kind in NAMES_A_STATEMENT:
        return Parsed(statement=number(data, 1, 4))
    if kind == CHANGE_USER:
        return Parsed(user=escaped(data[1:].partition(b"\0")[0], 200))
    if kind not in TEXT_COMMANDS:
        return Parsed()
    at = 1
    if kind == QUERY and capabilities & ATTRIBUTES:
        count, at = lenenc(data, at)
        _, at = lenenc(data, at)
        at = len(data) if count else at          # values come before the text, and are not read here
    return Parsed(text=escaped(data[at:]))


def ok(data: bytes) -> Parsed:
    """An OK packet, also where it ends rows."""
    affected, at = lenenc(data, 1)
    inserted, at = lenenc(data, at)
    size, place = lenenc(data, at + 4)           # without session tracking the text goes to the end
    text = data[place : place + size] if place + size <= len(data) else data[at + 4 :]
    return Parsed(affected=affected, inserted=inserted, status=number(data, at, 2),
                warnings=number(data, at + 2, 2), text=escaped(text, 200))


def eof(data: bytes) -> Parsed:
    """An EOF packet of servers before OK took its place."""
    return Parsed(warnings=number(data, 1, 2), status=number(data, 3, 2))


def err(data: bytes) -> Parsed:
    """An ERR packet."""
    with_state = data[3:4] == b"#"
    return Parsed(error=number(data, 1, 2), state=escaped(data[4:9]) if with_state else "",
                text=escaped(data[9:] if with_state else data[3:]))


def prepared(data: bytes) -> Parsed:
    """The first packet that answers PREPARE."""
    return Parsed(statement=number(data, 1, 4), columns=number(data, 5, 2), parameters=number(data, 7, 2))


def is_greeting(head: bytes) -> bool:
    """Whether a server may begin so; `head`: 40 bytes or more."""
    size, end = number(head, 0, 3), head.find(b"\0", 5)
    return (len(head) > 20 and 30 < size < 400 and head[3] == 0 and head[4] == 10 and 6 < end < 100
            and head[5:end].isascii() and head[5:6].isdigit() and head[5:end].decode().isprintable())


def begins_greeting(head: bytes) -> bool:
    """Whether these are the first bytes of a greeting, which ends further on: its version is under way."""
    return (len(head) > 8 and 30 < number(head, 0, 3) < 400 and head[3] == 0 and head[4] == 10
            and head[5:].isascii() and head[5:6].isdigit() and head[5:].decode().isprintable())


def is_login(head: bytes) -> bool:
    """Whether a client's login (or its wish for TLS) begins so; `head`: its first 36 bytes."""
    size, flags = number(head, 0, 3), number(head, 4, 4)
    return (len(head) >= 36 and 32 <= size < 4096 and head[3] in (1, 2) and bool(flags & 0x200)
            and head[13:32] == bytes(19))
