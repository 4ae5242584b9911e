"""A real browser as the client of a session; where none is installed, one sentence says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.lab.launch import start_agent
from inspector.model.commands import Close, Start
from inspector.model.spec import SessionSpec, SpecError
from inspector.sessions.kinds import resolved
from inspector.sessions.kinds.browser.programs import NONE, Browser, find_browser, lacking
from inspector.sessions.kinds.browser.server import page
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab, network_of, wait_for_event, wait_until, wait_until_gone
from tests.support.tiers import sweep, thorough

needs_browser = pytest.mark.skipif(find_browser() is None, reason=NONE)


def count(trace: Trace, text: str) -> int:
    return len(Filter(text).rows(trace))


@needs_lab
@needs_browser
@sweep(("behaviour", "from_page", "from_server"), [("echo", 2, 2), ("push", 0, 3), ("silent", 2, 0)],
       lambda case: case[0] == "echo")
def test_a_browser_opens_the_page_and_its_websocket(
    tmp_path: Path, behaviour: str, from_page: int, from_server: int
) -> None:
    path = tmp_path / "t.pcapng"
    spec = resolved(SessionSpec.from_json({"kind": "browser", "behaviour": behaviour, "push_interval": 0.01}))
    with start_agent(path, ports=(spec.port,)) as agent:
        agent.send(Start(spec))
        wait_for_event(agent, path, "session-ended")
    with Trace.open(path) as trace:
        trace.finish()
        endings = [dict(event.fields)["ok"] for event in trace.events if event.kind == "session-ended"]
        assert endings == ["true"], [event.text for event in trace.events]
        assert count(trace, "tcp.flags == 0x02") > 1           # the WebSocket has a connection of its own
        assert count(trace, 'http.request.uri == "/"') == 1
        assert count(trace, 'http.upgrade == "websocket" and http.request') == 1
        masked = "websocket.opcode == 1 and websocket.mask == 1"
        assert count(trace, f"tcp.dstport == 8080 and {masked}") == from_page
        assert count(trace, "tcp.srcport == 8080 and websocket.opcode == 1") == from_server
        assert "execve" in {call.name for call in trace.calls if call.role == "client"}


@thorough
@needs_lab
@needs_browser
def test_nothing_of_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / "t.pcapng"
    spec = resolved(SessionSpec(kind="browser", interactive=True))
    with start_agent(path, ports=(spec.port,)) as agent, Trace.open(path, following=True) as trace:
        agent.send(Start(spec))

        def has_answer() -> bool:
            trace.refresh()
            return count(trace, "websocket.opcode == 1") >= 4

        wait_until(has_answer, "messages both ways")
        assert list(tmp_path.glob("inspector-lab-*/browser-*"))
        agent.send(Close("client"))

        def gone() -> bool:
            trace.refresh()
            return count(trace, "tcp.dstport == 8080 and tcp.flags.fin == 1") > 0

        wait_until(gone, "the end of its connections")
        kept = "inspector-lab-*/browser-*/Local State"
        wait_until(lambda: not list(tmp_path.glob(kept)), "the end of its profile")
        network = network_of(agent)
    wait_until_gone(network)


@thorough
@needs_lab
@needs_browser
def test_no_profile_is_left_when_all_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / "t.pcapng"
    spec = resolved(SessionSpec(kind="browser", interactive=True))
    with start_agent(path, ports=(spec.port,)) as agent, Trace.open(path, following=True) as trace:
        agent.send(Start(spec))

        def asked() -> bool:
            trace.refresh()
            return count(trace, "http.request") > 0

        wait_until(asked, "a request")
    assert not list(tmp_path.glob("inspector-*"))


def test_without_a_browser_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lacking() == NONE
    done = inspector("run", "browser")
    assert done.returncode == 3
    assert done.stderr == f"inspector: {NONE}\n"
    checked = inspector("lesson", "check", "browser")
    assert (checked.returncode, checked.stdout) == (0, f"- browser  skipped: {NONE}\n")


def test_each_family_of_browsers_gets_a_profile_of_its_own(tmp_path: Path) -> None:
    for name, is_firefox in (("chromium", False), ("firefox", True)):
        path = tmp_path / name
        path.write_text("#!/bin/sh")
        path.chmod(0o700)
        found = Browser(str(path), is_firefox)
        profile = tmp_path / f"{name}-profile"
        profile.mkdir()
        words = found.command(profile, "http://127.0.0.1:8080/")
        assert words[0] == str(path)
        assert words[-1] == "http://127.0.0.1:8080/"
        assert any(str(profile) in word for word in words)
        assert is_firefox == (profile / "user.js").exists()


def test_no_message_of_a_session_ends_the_script_of_the_page() -> None:
    text = '</script><img src=x onerror=alert(1)> "quoted" \u2028 你好'
    made = page(SessionSpec(kind="browser", messages=(text,))).decode()
    assert made.count("</script>") == 1
    line = next(line for line in made.splitlines() if line.startswith("const messages"))
    assert json.loads(line.removeprefix("const messages = ").partition("], answers")[0] + "]") == [text]


@pytest.mark.parametrize("message", ["ping:x", "hex:00", "fragments:2:ab"])
def test_a_page_says_whole_texts_alone(message: str) -> None:
    with pytest.raises(SpecError, match="whole texts"):
        resolved(SessionSpec(kind="browser", messages=(message,)))
