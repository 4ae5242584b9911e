"""Options that mean one thing together: the command gets that thing, typed, in place of what was given.

click's values, by their names -> `make` -> one argument of the command. A wrong value is a CommandError then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]


def together(
    argument: str, make: Callable[..., object], options: Sequence[Callable[[Any], Any]], names: Sequence[str],
    *, seen: Sequence[str] = (),
) -> Decorator[Any]:
    """A decorator for a click command: it has `options`, whose values `make` gets by their `names`.

    `seen`: the command's own options that `make` gets too.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def called(*arguments: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in names} | {name: values[name] for name in seen}
            return function(*arguments, **values, **{argument: make(**given)})

        decorated: Callable[..., Any] = called
        for option in options:
            decorated = option(decorated)
        return decorated

    return decorate
