"""What one message of PostgreSQL's protocol 3.0 says: bytes to values.

Any bytes give a value: what is missing or broken is absent. Source: PostgreSQL's manual, "Message Formats".
Numbers are big-endian, strings end with NUL.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.wire.text import escaped

SSL, GSS, CANCEL, STARTUP, ANSWER = "ssl", "gss", "cancel", "startup", "answer"
"""Types of what has no byte for its type: before a session begins."""
CODES = {80877103: SSL, 80877104: GSS, 80877102: CANCEL}
FRONTEND = {
    "p": "Password message", "Q": "Simple query", "P": "Parse", "B": "Bind", "E": "Execute",
    "D": "Describe", "C": "Close", "H": "Flush", "S": "Sync", "F": "Function call", "d": "Copy data",
    "c": "Copy completion", "f": "Copy failure", "X": "Termination",
    SSL: "SSL request", GSS: "GSS encrypt request", CANCEL: "Cancel request", STARTUP: "Startup message",
}
BACKEND = {
    "R": "Authentication request", "K": "Backend key data", "S": "Parameter status", "1": "Parse completion",
    "2": "Bind completion", "3": "Close completion", "C": "Command completion", "t": "Parameter description",
    "T": "Row description", "D": "Data row", "I": "Empty query", "n": "No data", "E": "Error", "N": "Notice",
    "s": "Portal suspended", "Z": "Ready for query", "A": "Notification", "V": "Function call response",
    "G": "CopyIn response", "H": "CopyOut response", "W": "CopyBoth response", "d": "Copy data",
    "c": "Copy completion", "v": "Negotiate protocol version", ANSWER: "SSL response",
}
AUTHENTICATIONS = {
    0: "Success", 2: "Kerberos V5", 3: "Cleartext password", 5: "MD5 password", 6: "SCM credentials",
    7: "GSSAPI", 8: "GSSAPI continue", 9: "SSPI", 10: "SASL", 11: "SASL continue", 12: "SASL complete",
}
ERRORS = {
    "S": "severity", "V": "level", "C": "code", "M": "message", "D": "detail", "H": "hint", "P": "position",
    "W": "where", "F": "file", "L": "line", "R": "routine", "s": "schema_name", "t": "table_name",
    "c": "column_name", "d": "type_name", "n": "constraint_name",
}
"""Fields of an error or notice by their byte ("level" is the severity in English, whatever the locale)."""
LOGINS = {7: "GSSResponse message", 8: "GSSResponse message", 9: "GSSResponse message",
          10: "SASLInitialResponse message", 11: "SASLResponse message"}
"""What the client's message "p" is after an authentication request of that type."""
_MOST = 1664             # columns that a table or row has at most


@dataclass(slots=True)
class Body:
    """What a message says; what it does not have is "", None or empty. `values`: a row's, or those bound.

    `count`: of the columns or values that it says to have.
    """

    query: str = ""
    statement: str | None = None
    portal: str | None = None
    tag: str = ""
    status: int | None = None
    authentication: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    values: tuple[bytes | None, ...] = ()
    error: tuple[tuple[str, str], ...] = ()        # names of ERRORS, texts
    channel: str = ""
    text: str = ""
    pid: int | None = None
    count: int = 0

    def of_error(self, name: str) -> str:
        """A field of an error or notice; "" where it has none."""
        return next((text for field, text in self.error if field == name), "")


def _string(data: bytes, at: int) -> tuple[str, int]:
    """A string that ends with NUL, and the offset behind it."""
    end = data.find(b"\0", at)
    end = len(data) if end < 0 else end
    return escaped(data[at:end]), end + 1


def _strings(data: bytes) -> list[str]:
    return [escaped(part) for part in data.split(b"\0")]


def _number(data: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _values(data: bytes, at: int) -> tuple[bytes | None, ...]:
    """Values with their lengths before them; -1 is NULL."""
    found: list[bytes | None] = []
    for _ in range(min(_number(data, at, 2), _MOST)):
        if len(data) < at + 6:
            break
        size = _number(data, at + 2)
        null = size == 0xFFFFFFFF
        found.append(None if null else data[at + 6 : at + 6 + size])
        at += 4 if null else 4 + size
    return tuple(found)


def _columns(data: bytes) -> tuple[str, ...]:
    found, at = [], 2
    for _ in range(min(_number(data, 0, 2), _MOST)):
        if at >= len(data):
            break
        name, at = _string(data, at)
        found.append(name)
        at += 18             # table, column, type, size, modifier, format
    return tuple(found)


def _bind(data: bytes) -> Body:
    portal, at = _string(data, 0)
    statement, at = _string(data, at)
    at += 2 + 2 * _number(data, at, 2)
    return Body(portal=portal, statement=statement, values=_values(data, at), count=_number(data, at, 2))


def _startup(data: bytes) -> Body:
    words = _strings(data[4:])
    pairs = zip(words[::2], words[1::2], strict=False)
    return Body(parameters=tuple((name, value) for name, value in pairs if name))


def _error(data: bytes) -> Body:
    fields = [(chr(part[0]), part[1:]) for part in data.split(b"\0") if part]
    return Body(error=tuple((ERRORS[name], escaped(text)) for name, text in fields if name in ERRORS))


def read(frontend: bool, kind: str, data: bytes) -> Body:
    """What a message says. `data`: behind type and length; of a startup packet from its code on."""
    if kind == STARTUP:
        return _startup(data)
    if kind == CANCEL:
        return Body(pid=_number(data, 4))
    if kind == ANSWER:
        return Body(text=escaped(data[:1]))
    return _frontend(kind, data) if frontend else _backend(kind, data)


def _frontend(kind: str, data: bytes) -> Body:
    if kind == "Q":
        return Body(query=_string(data, 0)[0])
    if kind == "P":
        statement, at = _string(data, 0)
        return Body(statement=statement, query=_string(data, at)[0])
    if kind == "B":
        return _bind(data)
    if kind == "E":
        return Body(portal=_string(data, 0)[0])
    if kind in "DC":
        name = _string(data, 1)[0]
        return Body(statement=name) if data[:1] == b"S" else Body(portal=name)
    if kind == "f":
        return Body(text=_string(data, 0)[0])
    return Body()


def _backend(kind: str, data: bytes) -> Body:
    if kind in "EN":
        return _error(data)
    if kind == "D":
        return Body(values=_values(data, 0), count=_number(data, 0, 2))
    if kind == "T":
        return Body(columns=_columns(data), count=_number(data, 0, 2))
    if kind == "C":
        return Body(tag=_string(data, 0)[0])
    if kind == "Z":
        return Body(status=data[0] if data else None)
    if kind == "R":
        return Body(authentication=_number(data, 0) if len(data) >= 4 else None)
    if kind == "S":
        name, at = _string(data, 0)
        return Body(parameters=((name, _string(data, at)[0]),))
    if kind == "K":
        return Body(pid=_number(data, 0))
    if kind == "A":
        channel, at = _string(data, 4)
        return Body(pid=_number(data, 0), channel=channel, text=_string(data, at)[0])
    return Body()


def value_text(value: bytes | None, limit: int = 40) -> str:
    """A value for reading: a number as it is, text in quotes, anything else in hex."""
    if value is None:
        return "NULL"
    try:
        text = value[: 4 * limit].decode("utf-8", "strict" if len(value) <= 4 * limit else "ignore")
    except UnicodeDecodeError:
        return f"0x{value[: limit // 2].hex()}{'…' if len(value) > limit // 2 else ''}"
    if "\0" in text:
        return f"0x{value[: limit // 2].hex()}{'…' if len(value) > limit // 2 else ''}"
    number = text.removeprefix("-").replace(".", "", 1).isdecimal()
    return escaped(text, limit) if number else f"'{escaped(text, limit)}'"
