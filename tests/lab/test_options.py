"""What processes of ours are told when they start: read by its types, one sentence where it is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inspector.lab.options import AgentOptions, Limits, OptionsError, Outside, Process
from inspector.lab.summary import Refusal, from_line
from inspector.model.wiring import Wiring
from inspector.sessions import endpoint

FULL = AgentOptions(
    "lab", (80,), Limits("tcp", 96, 1, 2, 3.5), 5, (0, 1, 2), ("true",), True,
    Outside("all", (("db", 5432),), ((1, 2),), (("10.0.0.1", "::1", 53),), True), 7, "there", Process(3, "x"),
    Wiring(True, ("drop:data:2",), 1500, 1.5, 8, 2.0), 9)


@pytest.mark.quick
@pytest.mark.parametrize("options", [AgentOptions(), FULL])
def test_options_come_back_as_they_were(options: AgentOptions) -> None:
    assert AgentOptions.from_json(options.to_json()) == options


def test_by_hand_some_of_them_are_enough() -> None:
    assert AgentOptions.from_json('{"mode": "host", "limits": {"seconds": 2}}') == AgentOptions(
        "host", limits=Limits(seconds=2))


@pytest.mark.parametrize(("text", "words"), [
    ("{", "The agent's options are one JSON object."),
    ("[" * 100_000, "The agent's options are one JSON object."),
    ("[]", "The agent's options cannot be []."),
    ('{"port": 80}', "The agent's options have no 'port'."),
    ('{"ports": ["80"]}', "The agent's option ports cannot be '80'."),
    ('{"wake": true}', "The agent's option wake cannot be True."),
    ('{"mode": "cellar"}', "The agent's option mode cannot be 'cellar'."),
    ('{"terminal": [0, 1]}', "The agent's option terminal cannot be [0, 1]."),
    ('{"outside": {"publish": [[1]]}}', "The agent's option publish cannot be [[1]]."),
    ('{"process": {"pid": "1"}}', "The agent's option pid cannot be '1'."),
    ('{"wiring": {"rules": ["eat:3"]}}', "'eat:3' is no rule of the wire, as in drop:data:2."),
])
def test_options_of_a_wrong_shape_are_one_sentence(text: str, words: str) -> None:
    with pytest.raises(OptionsError) as raised:
        AgentOptions.from_json(text)
    assert str(raised.value) == words


def test_the_agent_says_so_and_ends() -> None:
    done = subprocess.run([sys.executable, "-m", "inspector.lab.agent", '{"mode": 3}'],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert isinstance(from_line(done.stderr), Refusal)


@pytest.mark.parametrize("words", [
    [], ["client"], ["nobody", "--journal-fd", "1"], ["client", "--journal-fd", "one"],
    ["client", "--journal-fd", "1000"], ["client", "--journal-fd", "9" * 30], ["client", "-j", "1"],
])
def test_so_does_an_endpoint(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert endpoint.main(words) == 2
    assert capsys.readouterr().err.startswith("Usage:")


@pytest.mark.parametrize("words", [[], ["0"], ["x", "1"], ["0", "1000"]])
def test_so_does_the_relay(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    from inspector.lab.network import relay  # asyncio, for this test alone

    monkeypatch.setattr(sys, "argv", ["relay", *words])
    with pytest.raises(SystemExit) as ended:
        relay.main()
    assert ended.value.code == 2 and capsys.readouterr().err.startswith("Usage:")
