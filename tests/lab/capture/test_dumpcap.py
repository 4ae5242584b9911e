"""dumpcap in the place of our own capture, played by a script that writes what dumpcap would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.lab.capture.dumpcap import dumpcap_command
from inspector.lab.options import AgentOptions, Limits
from inspector.lab.summary import Refusal, Summary, from_line
from inspector.wire import pcapng
from tests.support.running.lab import read_trace, wait_for_frames, wait_until

pytestmark = pytest.mark.quick
AGENT = """
import sys
from inspector.lab.agent import __main__ as agent

agent.may_capture = lambda: False
program = sys.argv.pop()
agent.dumpcap = lambda: program or None
agent.main()
"""
STAYS = """cat "$0.data"
trap 'echo "Packets received/dropped on interface lo: 3/2 (60%)" >&2; exit 0' INT
while :; do sleep 0.05; done
"""


def fake(tmp_path: Path, script: str) -> str:
    path = tmp_path / "dumpcap"
    path.write_text(f"#!/bin/sh\necho $$ > $0.pid\n{script}")
    path.chmod(0o755)
    blocks = [pcapng.section_header(), pcapng.interface_description(1, 262144, "lo")]
    blocks += [pcapng.enhanced_packet(bytes(60), 10**18 + number) for number in range(3)]
    Path(f"{path}.data").write_bytes(b"".join(blocks))
    return str(path)


HOST = AgentOptions("host")


class Agent:
    """An agent that believes it may not capture."""

    def __init__(self, trace: Path, dumpcap: str, options: AgentOptions = HOST) -> None:
        reader, writer = os.pipe()
        text = replace(options, wake=writer).to_json()
        with trace.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-c", AGENT, text, dumpcap], stdin=subprocess.PIPE, stdout=stream,
                stderr=subprocess.PIPE, pass_fds=[writer],
            )
        os.close(writer)
        os.close(reader)

    def end(self, line: bytes = b"") -> tuple[int, Summary | Refusal]:
        _, words = self.process.communicate(line, timeout=60)
        return self.process.returncode, from_line(words.decode().splitlines()[-1])


def test_dumpcaps_packets_and_our_events_are_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    agent = Agent(path, fake(tmp_path, STAYS), AgentOptions("host", ports=(80,)))
    wait_for_frames(path, 3)
    status, summary = agent.end(b'{"do": "nonsense"}\n')
    reading = read_trace(path)
    assert status == 0
    assert summary == Summary(3, 2, path.stat().st_size)
    assert [getattr(item, "kind", item) for item in reading.items] == ["agent-ready", 0, 1, 2, "failed"]
    assert reading.fact("agent-ready", "capture") == "dumpcap"
    assert reading.rest == 0


@pytest.mark.parametrize("killed", ["agent", "in order"])
def test_dumpcap_never_outlives_the_agent(tmp_path: Path, killed: str) -> None:
    path = tmp_path / "t.pcapng"
    agent = Agent(path, fake(tmp_path, STAYS))
    wait_for_frames(path, 3)
    pid = int((tmp_path / "dumpcap.pid").read_text())
    agent.process.send_signal(signal.SIGKILL if killed == "agent" else signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of dumpcap")
    agent.process.communicate()


def test_a_dumpcap_that_fails_is_heard(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "t.pcapng", fake(tmp_path, "echo 'No permission.' >&2; exit 1"))
    agent.process.wait(60)
    status, summary = agent.end()
    assert status == 1
    assert isinstance(summary, Summary) and summary.broken == "dumpcap could not capture: No permission."


def test_its_size_limit_is_a_clear_end(tmp_path: Path) -> None:
    script = 'cat "$0.data"; echo "Packets received/dropped on interface lo: 3/0 (100%)" >&2'
    agent = Agent(tmp_path / "t.pcapng", fake(tmp_path, script),
                  AgentOptions("host", limits=Limits(max_size=5000)))
    agent.process.wait(60)
    status, summary = agent.end()
    assert isinstance(summary, Summary) and (status, summary.packets) == (0, 3)
    assert summary.limit == "The capture ended: the file has reached its limit of 5,000 bytes."
    assert read_trace(tmp_path / "t.pcapng").events[-1].kind == "limit-reached"


def test_without_it_one_sentence_and_the_mending_command(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "t.pcapng", "")
    status, summary = agent.end()
    if status == 0:
        pytest.skip("this user may capture")
    assert status == 3
    assert isinstance(summary, Refusal)
    assert "CAP_NET_RAW" in summary.sentence and summary.remedy.startswith("sudo ")


def test_it_is_called_with_all_that_was_asked() -> None:
    options = AgentOptions("host", (80, 81), Limits(snaplen=96, max_size=5_000_000))
    assert dumpcap_command("/usr/bin/dumpcap", options, "port 80 or port 81")[1:] == [
        "-q", "-i", "lo", "-B", "64", "-w", "-",
        "-f", "port 80 or port 81", "-s", "96", "-a", "filesize:5000",
    ]
