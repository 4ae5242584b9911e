"""HTTP messages and WebSocket frames, held against tshark and the `websockets` library on foreign captures.

A difference is allowed only where a rule below names it with its reason; the table is printed (-s shows).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from inspector.wire.headers.read import FRAGMENT
from tests.support.captures.application import WebLayers, web
from tests.support.captures.tcp import CAPTURES, read_table

FOREIGN = sorted(path for path in (CAPTURES / "captures").glob("*/*") if path.suffix in (".pcap", ".pcapng"))
Key = tuple[object, ...]


def beside(kind: str) -> list[Path]:
    """The captures that have a table of this kind."""
    return [path for path in FOREIGN if Path(f"{path}.{kind}.tsv").exists()]


@pytest.fixture(scope="module")
def table() -> Iterator[Counter[tuple[str, str]]]:
    found: Counter[tuple[str, str]] = Counter()
    yield found
    print("\nApplication layer against tshark and websockets (equal, and differences by reason):")
    for (kind, reason), count in sorted(found.items()):
        print(f"  {count:6} {kind}: {reason}")


def applications(path: Path) -> dict[int, WebLayers]:
    trace = opened(path)
    return {stream: web(trace, stream) for stream in range(len(trace.conversations("tcp")))}


def opened(path: Path) -> Trace:
    trace = Trace.open(path)
    trace.finish()
    return trace


@pytest.mark.parametrize("path", beside("ws"), ids=lambda path: path.name)
def test_frames_are_those_of_tshark(path: Path, table: Counter[tuple[str, str]]) -> None:
    theirs = [
        (int(row["tcp.stream"]), int(row["frame.number"]), row["fin"], int(row["rsv"]), int(row["opcode"]),
         row["mask"], row["masking_key"], int(row["payload_len"]))
        for row in read_table(Path(f"{path}.ws.tsv"))]
    ours = [
        (stream, record.row + 1, str(int(record.fin)), record.rsv, record.opcode, str(int(record.masked)),
         record.masking_key.hex(), record.payload_length)
        for stream, application in applications(path).items() for record in application.frames]
    assert sorted(ours) == sorted(theirs)
    table["websocket frames", "equal to tshark"] += len(ours)


@pytest.mark.parametrize("path", beside("ws"), ids=lambda path: path.name)
def test_close_codes_are_those_of_tshark(path: Path, table: Counter[tuple[str, str]]) -> None:
    theirs = [(int(row["tcp.stream"]), int(row["frame.number"]), row["close_code"])
              for row in read_table(Path(f"{path}.ws.tsv")) if row["name"] == "close"]
    ours = [(stream, record.row + 1, str(application.close(record.number).code or ""))
            for stream, application in applications(path).items() for record in application.frames
            if record.name == "close"]
    assert sorted(ours) == sorted(theirs)
    table["close codes", "equal to tshark"] += len(ours)


@pytest.mark.parametrize("path", beside("wsframes"), ids=lambda path: path.name)
def test_payloads_are_those_of_the_library(path: Path, table: Counter[tuple[str, str]]) -> None:
    """Also inflated ones, frame by frame: length, and the first 16 digits of the SHA-256 of what it says."""
    found = applications(path)
    for row in read_table(Path(f"{path}.wsframes.tsv")):
        application = found[int(row["tcp.stream"])]
        records = [record for record in application.frames if record.from_client == (row["from"] == "client")]
        base = records[0].start
        record = next(record for record in records if record.start - base == int(row["offset"]))
        data = application.payload(record.number)
        assert (record.stop - record.start, record.payload_length, len(data)) == (
            int(row["size"]), int(row["payload_len"]), int(row["decoded_len"]))
        assert hashlib.sha256(data).hexdigest()[:16] == row["decoded_sha256_16"]
        table["websocket payloads", "equal to websockets"] += 1


@pytest.mark.parametrize("path", beside("http"), ids=lambda path: path.name)
def test_messages_are_those_of_tshark(path: Path, table: Counter[tuple[str, str]]) -> None:
    theirs: Counter[Key] = Counter(
        (int(row["tcp.stream"]), int(row["frame.number"]), row["http.request.method"],
         row["http.request.uri"], row["http.response.code"])
        for row in read_table(Path(f"{path}.http.tsv")) if row["tcp.stream"].isdigit())
    ours: Counter[Key] = Counter()
    cut: dict[Key, str] = {}
    found = applications(path)
    for stream, application in found.items():
        for message in application.http:
            rows = application.rows_of_http(message)
            key = (stream, max(rows) + 1, message.method, message.target, str(message.status or ""))
            ours[key] += 1
            if not message.complete or message.framing == "close":
                cut[(key[0], *key[2:])] = "its end is the connection's: tshark gives it with the FIN"
    table["http messages", "equal to tshark"] += (theirs & ours).total()
    missing, extra = theirs - ours, ours - theirs
    fragments = opened(path).index.status & FRAGMENT != 0
    for lost in missing.elements():
        reason = _reason(lost, cut, bool(fragments[int(str(lost[1])) - 1]))
        assert reason, f"tshark alone has {lost}"
        table["http messages", reason] += 1
    for more in extra.elements():
        assert (more[0], *more[2:]) in cut, f"tshark does not have {more}"


def _reason(key: Key, cut: dict[Key, str], fragment: bool) -> str:
    """Why tshark has a row that is not ours; "" where there is no good reason."""
    stream, _, method, _, code = key
    if fragment:
        return "carried by IP fragments, which are not put together here"
    if not method and not code:
        return "bytes that tshark lists as HTTP without a message in them"
    return cut.get((stream, *key[2:]), "")


@pytest.mark.parametrize("path", beside("http"), ids=lambda path: path.name)
def test_handshakes_have_what_tshark_shows(path: Path, table: Counter[tuple[str, str]]) -> None:
    found = applications(path)
    for row in read_table(Path(f"{path}.http.tsv")):
        for name in ("key", "accept"):
            shown = row[f"http.sec_websocket_{name}"]
            if shown:
                upgrade = found[int(row["tcp.stream"])].upgrade
                assert upgrade is not None and getattr(upgrade, name) == shown
                table["handshakes", "equal to tshark"] += 1


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_nothing_else_is_taken_for_http_or_websocket(path: Path) -> None:
    try:
        found = applications(path)
    except Exception as error:      # what cannot be opened at all is others' matter
        pytest.skip(str(error))
    speaking = {stream for stream, application in found.items()
                if any(layer.protocol.name in ("http", "websocket") for layer in application.layers)}
    tables = [Path(f"{path}.{kind}.tsv") for kind in ("http", "ws")]
    known = {int(row["tcp.stream"]) for one in tables if one.exists() for row in read_table(one)
             if row["tcp.stream"].isdigit()}
    assert speaking <= known
    assert not any(application.inferred for application in found.values())
