"""What must hold of every registered protocol, whichever it is."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.protocols import REGISTRY, RULES, by_name
from inspector.protocols.api import Decoder, Protocol
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.deep_fields import DEEP
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.detail.tree import packet_tree
from inspector.views.json.messages import messages
from inspector.views.line.spans import Style

DATA = Path(__file__).parents[2] / "data"
CAPTURES = sorted(path for path in DATA.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
SHARED = tuple(f"inspector.protocols.{name}" for name in ("api", "framing.units", "framing.exchanges"))
each = pytest.mark.parametrize("protocol", REGISTRY, ids=lambda protocol: protocol.name)


def test_names_are_told_apart_and_found() -> None:
    names = [protocol.name for protocol in REGISTRY]
    assert len(set(names)) == len(names) and all(by_name(name) is not None for name in names)
    assert by_name("no such protocol") is None


def test_no_rule_has_two_books() -> None:
    counted = Counter(rule.id for protocol in REGISTRY for rule in protocol.book.rules)
    assert not [rule for rule, count in counted.items() if count > 1]
    assert set(counted) <= set(RULES)


@each
def test_it_says_all_that_is_asked_of_it(protocol: Protocol) -> None:
    assert protocol.title and (protocol.colour in get_args(Style))
    assert protocol.carriers and (protocol.packets is None or protocol.packets.carrier in protocol.carriers)
    assert (protocol.decoder is None) == (protocol.sniff is None)
    assert not protocol.within or (by_name(protocol.within) is not None and protocol.decoder is None)
    keys = [field.key for field in protocol.fields if field.key]
    assert protocol.fields and len(set(keys)) == len(keys)
    for field in protocol.fields:
        assert not field.filtered or field.name in DEEP or field.name in COLUMNS
    for rule in protocol.book.rules:
        assert rule.clause and rule.id.partition(".")[2]


@each
def test_the_filter_knows_it_and_its_fields(protocol: Protocol) -> None:
    Filter(protocol.name)
    for field in protocol.fields:
        if field.filtered:
            Filter(field.name)


def spoken() -> Iterator[tuple[Path, Trace]]:
    for path in CAPTURES:
        with Trace.open(path) as trace:
            trace.finish()
            yield path, trace


def test_filter_json_and_list_say_the_same_of_every_capture() -> None:
    seen: Counter[str] = Counter()
    for path, trace in spoken():
        for protocol in REGISTRY:
            objects = list(messages(trace, protocol))
            seen[protocol.name] += len(objects)
            rows = Filter(protocol.name).rows(trace).tolist()
            of_messages = {number - 1 for one in objects for number in one["frames"]}
            if protocol.name not in COLUMNS:       # a record that is not whole completes no packet
                assert set(rows) <= of_messages, (path, protocol.name)
            for row in rows[:3]:
                assert packet_tree(trace, row)
    unheard = [protocol.name for protocol in REGISTRY if not seen[protocol.name]]
    assert not unheard, "no capture in tests/data: one in protocols/ is taken by all tests of this folder"


def test_every_decoder_says_all_that_it_must() -> None:
    """Also what the detail shows, which its base leaves empty."""
    package = import_module("inspector.protocols")
    modules = [import_module(one.name) for one in walk_packages(package.__path__, f"{package.__name__}.")]
    own = {one for module in modules if module.__name__ not in SHARED for one in vars(module).values()
           if isinstance(one, type) and issubclass(one, Decoder) and one.__module__ not in SHARED}
    assert len(own) >= len([one for one in REGISTRY if one.decoder is not None])
    assert not [one.__name__ for one in own if inspect.isabstract(one) or one.parts is Decoder.parts]


@each
@given(data=st.binary(max_size=200), hops=st.binary(max_size=1))
def test_any_packet_gives_a_record_or_none(protocol: Protocol, data: bytes, hops: bytes) -> None:
    if protocol.packets is None:
        return
    record: Any = protocol.packets.read(data, hops)
    if record is not None:
        text = protocol.packets.info(record)
        assert text.isprintable()
        for field in protocol.fields:
            list(field.get(None, record))
