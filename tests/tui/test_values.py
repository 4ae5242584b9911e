"""What the app computes beside its widgets: kept traces, keymap, session state, commands, places to go to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from inspector.lab.files.folders import traces_folder
from inspector.model.messages import Message
from inspector.model.packets import Row
from inspector.model.records import Event, EventKind
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.sessions.kinds.kind import BINARY, HEX, IN_FRAGMENTS, PING, TEXT, Form
from inspector.trace.trace import Trace
from inspector.tui.files import traces
from inspector.tui.files.keymap import KeymapError, read_keymap
from inspector.tui.files.paths import PathError, to_write
from inspector.tui.workbench.state import session_state
from inspector.views.packets.go_to import GoToError, find_row
from tests.support.captures.tcp import MemoryTrace, segment

pytestmark = pytest.mark.quick


def test_new_traces_have_names_of_their_own_and_are_private() -> None:
    begun = [traces.begin("tcp") for _ in range(3)]
    assert len({trace.path for trace in begun}) == 3
    assert all(trace.path.stat().st_mode & 0o077 == 0 for trace in begun)
    assert [trace.close() for trace in begun] == [None] * 3        # nothing was written
    assert not any(trace.path.exists() for trace in begun)


def _keep(label: str, contents: bytes, age: float = 0) -> Path:
    trace = traces.begin(label)
    trace.path.write_bytes(contents)
    trace.close()
    moment = time.time() - age
    os.utime(trace.path, (moment, moment))
    return trace.path


def test_as_many_traces_are_kept_as_is_said_with_the_one_that_begins() -> None:
    for number in range(traces.KEPT):
        _keep("tcp", b"x", age=1000 - number)
    begun = traces.begin("tcp")
    os.write(begun.descriptor, b"x")
    begun.close()
    assert len(traces.kept()) == traces.KEPT


def test_nothing_is_saved_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(PathError, match=r" is a directory\.$"):
        to_write(str(tmp_path / "there"), traces.CAPTURE_SUFFIXES)


def test_kept_traces_are_the_newest_that_hold_something() -> None:
    for number in range(1, 5):
        _keep("websocket", b"x" * number, age=200_000 - number)
    empty = traces_folder() / "2020-01-01_00-00-00_tcp.pcapng"
    empty.touch()
    os.utime(empty, (1, 1))
    kept = traces.kept()
    assert [trace.size for trace in kept] == [4, 3, 2, 1]
    assert kept[0].label == "websocket"
    assert kept[0].age == "2 days ago"
    traces.prune(keep=2)
    assert [trace.size for trace in traces.kept()] == [4, 3]
    assert len(list(traces_folder().iterdir())) == 2


def test_a_new_trace_makes_room_by_number_size_and_age() -> None:
    live = traces.begin("live")                                    # still written: it stays, however old
    live.path.write_bytes(b"x")
    os.utime(live.path, (1, 1))
    _keep("old", b"x" * 10, age=(traces.KEPT_DAYS + 1) * 86400)
    for number in range(traces.KEPT + 5):
        _keep("tcp", b"x" * 10, age=1000 - number)
    held = traces.begin("next")
    assert [trace.label for trace in traces.kept()] == ["tcp"] * (traces.KEPT - 1) + ["live"]
    traces.prune(size=35)
    assert [trace.label for trace in traces.kept()] == ["tcp"] * 3 + ["live"]
    assert live.close() == live.path
    held.close()
    traces.prune()
    assert [trace.label for trace in traces.kept()] == ["tcp"] * 3


def test_saving_adds_the_suffix_and_asks_before_it_overwrites(tmp_path: Path) -> None:
    target = traces.save([b"tra", b"ce"], str(tmp_path / "lesson"))
    assert target == tmp_path / "lesson.pcapng"
    assert target.read_bytes() == b"trace"
    with pytest.raises(FileExistsError):
        traces.save([], str(target))
    assert traces.save([b"longer trace"], str(target), overwrite=True).read_bytes() == b"longer trace"
    with pytest.raises(PathError, match="directory"):
        traces.save([], str(_directory(tmp_path / "here.pcapng")))
    with pytest.raises(PathError, match="There is no folder"):
        traces.save([], str(tmp_path / "missing" / "x.pcap"))
    os.mkfifo(tmp_path / "pipe.pcap")
    with pytest.raises(PathError, match="no ordinary file"):
        traces.save([], str(tmp_path / "pipe.pcap"), overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"here.pcapng", "lesson.pcapng", "pipe.pcap"}


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (14_000, "14 kB"),
                                            (2_100_000_000, "2.1 GB"), (5_000_000_000_000, "5000 GB")])
def test_sizes_for_people(size: int, text: str) -> None:
    assert traces.human_size(size) == text


def test_a_keymap_is_read_flat_or_in_tables(tmp_path: Path) -> None:
    path = tmp_path / "keymap.toml"
    assert read_keymap(path) == {}
    path.write_text('workbench.save = "ctrl+w"\n[app]\nquit = "Q,f10"\n"quit-anywhere" = "ctrl+x"\n')
    keys = {"workbench.save": "ctrl+w", "app.quit": "Q,f10", "app.quit-anywhere": "ctrl+x"}
    assert read_keymap(path) == keys


@pytest.mark.parametrize("text", ["not toml", "app.quit = 3", 'app.quit = ""', "\xff"])
def test_a_keymap_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keymap.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(KeymapError) as caught:
        read_keymap(path)
    assert "\n" not in str(caught.value)


def _event(kind: EventKind, role: str = "", **fields: str) -> Event:
    return Event(0, kind, f"the text of {kind}", role, None, tuple(fields.items()))


def test_a_session_is_what_its_events_say() -> None:
    spec = resolved(SessionSpec(kind="websocket", ipv6=True))
    events = [_event("agent-ready", mode="lab"),
              _event("session-started", session=json.dumps(spec.to_json())),
              _event("endpoint-started", "server"), _event("listening", "server", address="[::1]:8765"),
              _event("endpoint-started", "client")]
    state = session_state(events)
    assert (state.spec, state.mode, state.address) == (spec, "lab", "[::1]:8765")
    assert state.running == {"server", "client"}
    assert not state.ended
    events += [_event("waiting", "server", call="accept(3)", tid="7"),
               _event("waiting", "client", call="connect(3)", tid="8"),
               _event("waiting", "server", call="send(4, 2)", tid="9"), _event("resumed", "server", tid="7")]
    assert session_state(events).waiting == {"server": ("send(4, 2)",), "client": ("connect(3)",)}
    events += [_event("endpoint-ended", "server"), _event("endpoint-ended", "client"),
               _event("failed", "client"), _event("session-ended", ok="false")]
    state = session_state(events)
    assert state.ended and not state.ok and not state.running and not state.waiting
    assert state.failures == ("the text of failed",)
    events += [_event("session-started", session="damaged")]
    assert not session_state(events).ended


@pytest.mark.parametrize(("form", "text", "message"), [
    (TEXT, "hello", Message(b"hello")),
    (HEX, "68 65:6C", Message(b"hel", "binary")),
    (HEX, "0x00ff", Message(b"\x00\xff", "binary")),
    (BINARY, "00", Message(b"\x00", "binary")),
    (PING, "there?", Message(b"there?", "ping")),
    (IN_FRAGMENTS, "long", Message(b"long", fragments=3)),
])
def test_what_is_typed_becomes_a_message(form: Form, text: str, message: Message) -> None:
    assert form.read(text) == message


@pytest.mark.parametrize("text", ["", "6", "6 8 6", "xy", "\x1b[2J"])
def test_what_is_not_hex_gets_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not hex.*\.$") as caught:
        HEX.read(text)
    assert "\x1b" not in str(caught.value)


def _trace(*seconds: float) -> MemoryTrace:
    found = MemoryTrace()
    stamps = [1_700_000_000_000_000_000 + round(second * 1e9) for second in seconds]
    found.add([segment(0, "A", 1)] * len(seconds), stamps)
    return found


@pytest.mark.parametrize(("text", "row"), [
    ("1", 0), ("#3", 2), ("0s", 0), ("1.5s", 2), (".4", 1), ("99 s", 3),
])
def test_going_to_a_number_or_a_time(text: str, row: Row) -> None:
    assert find_row(_trace(0, 0.5, 1.5, 2.5), text) == row


def test_going_to_a_number_of_wireshark() -> None:
    """It counts the file's system calls as frames: here they are 1 to 5 and 8 to 11, packets 6 and 7."""
    with Trace.open(Path(__file__).parents[1] / "data" / "traces" / "tcp-refused.pcapng") as trace:
        trace.finish()
        texts = "w6", "W7", "wireshark 7", "w#6", "1", "2"
        assert [find_row(trace, text) for text in texts] == [0, 1, 1, 0, 0, 1]
        for text, sentence in (
            ("w3", "Number 3 in Wireshark is no packet but a system call; packet 1, there 6, follows it."),
            ("w9", "Wireshark has no packet 9 of this file; the last one is its 7."),
            ("w0", "Wireshark has no packet 0 of this file; the last one is its 7."),
            ("7", "There is no packet 7; the last one is 2, in Wireshark 7."),
        ):
            with pytest.raises(GoToError) as caught:
                find_row(trace, text)
            assert str(caught.value) == sentence


def test_going_to_a_time_of_day() -> None:
    import time

    clock = time.strftime("%H:%M:%S", time.localtime(1_700_000_002))
    assert find_row(_trace(0, 0.5, 1.5, 2.5), clock) == 3


@pytest.mark.parametrize("text", ["0", "5", "abc", "", "-1", "²", "\x1b"])
def test_a_place_that_is_none_gets_a_sentence(text: str) -> None:
    with pytest.raises(GoToError) as caught:
        find_row(_trace(0, 0.5, 1.5, 2.5), text)
    assert "\x1b" not in str(caught.value)
