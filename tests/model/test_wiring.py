"""Rules of a wire: what people type, and which packets it means."""

from __future__ import annotations

import pytest

from inspector.model.spec import SessionSpec, SpecError
from inspector.model.wiring import Rule, RuleError, rule_of

DATA = frozenset({"data"})


@pytest.mark.parametrize(("text", "rule"), [
    ("drop:3", Rule("drop", first=3, last=3)),
    ("drop:data:2", Rule("drop", what="data", first=2, last=2)),
    ("double:client:syn", Rule("double", "client", "syn")),
    ("delay:server:data:1-3", Rule("delay", "server", "data", 1, 3)),
    ("swap:server", Rule("swap", "server")),
])  # fmt: skip
def test_a_rule_is_read(text: str, rule: Rule) -> None:
    assert rule_of(text) == rule


@pytest.mark.parametrize("text", [
    "", "drop", "drop:", "eat:3", "drop:0", "drop:3-1", "drop:data:client", "drop:3:data", "drop:x",
    "drop:3:3", "drop:" + "9" * 40,
])  # fmt: skip
def test_what_is_no_rule_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RuleError, match=r"^[^\n]{10,160}\.$"):
        rule_of(text)


def test_it_covers_the_numbers_that_it_names() -> None:
    rule = rule_of("drop:client:data:2-3")
    assert rule.means("client", frozenset({"data"}))
    assert not rule.means("server", frozenset({"data"}))
    assert not rule.means("client", frozenset({"syn"}))
    assert [number for number in range(1, 6) if rule.covers(number)] == [2, 3]
    assert rule_of("drop:client").covers(1 << 20)


def test_a_session_knows_whether_it_needs_a_wire() -> None:
    assert SessionSpec(window=5000).wiring is None
    assert SessionSpec().address == "127.0.0.1"
    for spec in (SessionSpec(wire="held"), SessionSpec(mtu=1300), SessionSpec(loss=3.5),
                 SessionSpec(wire_rules=("drop:1",))):
        assert spec.wiring is not None
        assert spec.address == "10.0.0.2"
        assert SessionSpec.from_json(spec.to_json()) == spec
    assert SessionSpec(wire="open", ipv6=True).address == "fd00::2"


@pytest.mark.parametrize("spec", [
    SessionSpec(wire="open", to="127.0.0.1:8000"), SessionSpec(wire_rules=("drop:x",)), SessionSpec(mtu=100),
    SessionSpec(mtu=600, ipv6=True), SessionSpec(loss=101.0), SessionSpec(rate=-1), SessionSpec(window=3),
    SessionSpec(latency=-1.0),
])  # fmt: skip
def test_a_wire_that_cannot_be_is_refused(spec: SessionSpec) -> None:
    with pytest.raises(SpecError, match=r"^[^\n]{10,160}\.$"):
        spec.check()
