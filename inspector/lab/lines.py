"""Flat dataclasses as JSON lines between processes of ours: `{"kind": "Publish", "port": 80, …}` and back.

Fields are texts, numbers and truth values; whoever writes a line and whoever reads it name the same classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from types import NoneType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")

_TYPES: dict[object, tuple[type, ...]] = {
    "int": (int,), "str": (str,), "bool": (bool,), "int | None": (int, NoneType),
}  # as annotations stand in a file


def line_of(one: DataclassInstance) -> bytes:
    """The dataclass as one JSON line, its end included."""
    return json.dumps({"kind": type(one).__name__, **asdict(one)}).encode() + b"\n"


def read_line(line: bytes, classes: Iterable[type[T]]) -> T:
    """One of the classes, out of what `line_of` wrote; ValueError with one sentence for anything else."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("It is not JSON.") from None
    kind = data.pop("kind", None) if isinstance(data, dict) else None
    made = next((each for each in classes if each.__name__ == kind), None)
    if made is None:
        raise ValueError("It is an object of no kind that is known here.")
    types = {each.name: _TYPES[each.type] for each in fields(made)}
    if data.keys() != types.keys() or any(type(data[name]) not in types[name] for name in types):
        raise ValueError(f"The fields of {made.__name__} are wrong.")
    return made(**data)
