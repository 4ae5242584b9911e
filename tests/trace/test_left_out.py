"""What limits leave out is told: as a note with its packets, in the pane and in JSON."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from inspector.trace.file import keylog
from inspector.trace.index import reassembly
from inspector.trace.trace import Trace
from inspector.views.findings.list import FindingList
from inspector.views.json.findings import findings
from inspector.views.line.spans import plain
from inspector.wire import keylog as secrets
from tests.support.captures.frames import pcapng_bytes

MACS = bytes(12)


def ipv4(protocol: int, inside: bytes, fragment: int = 0, identification: int = 1) -> bytes:
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(inside), identification, fragment, 64, protocol, 0,
                       b"\x0a\0\0\1", b"\x0a\0\0\2") + inside


def ipv6(following: int, inside: bytes) -> bytes:
    ends = bytes(15) + b"\1" + bytes(15) + b"\2"
    return struct.pack("!IHBB", 6 << 28, len(inside), following, 64) + ends + inside


def nested(count: int) -> bytes:
    """A UDP datagram in so many of IP within each other."""
    data = ipv4(17, struct.pack("!HHHH", 5, 6, 8, 0))
    for _ in range(count):
        data = ipv4(4, data)
    return data


def tagged(count: int) -> bytes:
    return MACS + b"\x81\0\0\1" * count + b"\x08\0" + nested(0)


def labelled(count: int) -> bytes:
    return MACS + b"\x88\x47" + b"\0\0\x10\x40" * (count - 1) + b"\0\0\x11\x40" + nested(0)


def extended(count: int) -> bytes:
    options = b"".join(bytes([60 if at < count - 1 else 17, 0, 1, 4, 0, 0, 0, 0]) for at in range(count))
    return MACS + b"\x86\xdd" + ipv6(60, options + struct.pack("!HHHH", 5, 6, 8, 0))


def findings_of(folder: Path, *frames: bytes) -> list[tuple[str, str, list[int]]]:
    """Id, first sentence and packets of the notes about limits, which pane and JSON have alike."""
    file = folder / "limits.pcapng"
    file.write_bytes(pcapng_bytes(list(frames)))
    with Trace.open(file) as trace:
        trace.finish()
        found = [one for one in findings(trace) if one["id"].startswith("reading.")]
        shown = FindingList(trace)
        lines = [plain(shown.line(index, 200)) for index in range(shown.count)]
        assert all(any(one["text"][:60] in line for line in lines) for one in found)
        return [(one["id"], one["text"], one["frames"]) for one in found]


@pytest.mark.parametrize(("within", "beyond"), [
    (tagged(8), tagged(9)), (labelled(8), labelled(9)), (extended(16), extended(17)),
    (MACS + b"\x08\0" + nested(5), MACS + b"\x08\0" + nested(6)),
], ids=["tags", "labels", "extension headers", "tunnels"])
def test_headers_deeper_than_they_are_read(within: bytes, beyond: bytes, tmp_path: Path) -> None:
    assert findings_of(tmp_path, within) == []
    (one,) = findings_of(tmp_path, within, beyond, within, beyond)
    assert one[0] == "reading.too-deep" and "in 2 packets: what stands behind is not read." in one[1]
    assert one[2] == [2, 4]


def test_datagrams_out_of_fragments_that_are_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reassembly, "MOST_WAITING", 3)
    first = [MACS + b"\x08\0" + ipv4(6, bytes(24), 0x2000, number) for number in range(5)]
    (one,) = findings_of(tmp_path, *first)
    assert one[0] == "reading.fragments" and one[1].startswith("2 datagrams out of fragments were given up")
    assert one[2] == [1, 2]


def test_secrets_beyond_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "MOST_SECRETS", 2)
    lines = "".join(f"CLIENT_RANDOM {number:064x} {'ab' * 48}\n" for number in range(5))
    (tmp_path / "keys").write_text(lines)
    monkeypatch.setattr(keylog, "_chosen", [tmp_path / "keys"])
    (one,) = findings_of(tmp_path, tagged(1))
    assert one[0] == "reading.secrets" and one[1].startswith("3 secrets of TLS were left out")
    monkeypatch.setattr(keylog, "_MOST", 200)
    assert [one[1].partition(": ")[0] for one in findings_of(tmp_path, tagged(1))] == [
        "Of the secrets in keys the first 0 MB are read. What these would open stays closed"]
