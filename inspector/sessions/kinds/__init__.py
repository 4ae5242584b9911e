"""The kinds of session: `REGISTRY`, of which launcher, composer, menus, commands and endpoints are made.

A new kind is a folder beside these, with a `KIND`, and its line in the registry. Rule: what depends on the
kind of a session is asked of its `Kind`; nobody compares names. `resolved` turns a spec as a person gave it
into one with all filled in.
"""

from __future__ import annotations

from dataclasses import replace

from inspector.model.spec import SessionSpec, SpecError
from inspector.sessions.kinds import browser, http, slow_reader, tcp, udp, websocket
from inspector.sessions.kinds.kind import Kind
from inspector.sessions.kinds.options import DEFAULTS, WIRE, Option

REGISTRY: tuple[Kind, ...] = (
    tcp.KIND,
    udp.KIND,
    http.KIND,
    websocket.KIND,
    slow_reader.KIND,
    browser.KIND,
)
LAUNCHED: tuple[Kind, ...] = tuple(kind for kind in REGISTRY if kind.key)      # those of the launcher
NAMES: tuple[str, ...] = tuple(kind.name for kind in REGISTRY)
OPTIONS: tuple[Option, ...] = tuple(dict.fromkeys(option for kind in REGISTRY for option in kind.options))


def kind_of(spec: SessionSpec) -> Kind:
    """The kind of a session; SpecError where there is none of this name."""
    return kind_named(spec.kind)


def kind_named(name: str) -> Kind:
    """The kind of this name; SpecError where there is none."""
    for kind in REGISTRY:
        if kind.name == name:
            return kind
    raise SpecError(f"There is no session kind {name!r:.40}; choose from {', '.join(NAMES)}.")


def kinds_with(option: Option) -> tuple[Kind, ...]:
    """The kinds to which an option matters."""
    return tuple(kind for kind in REGISTRY if option in kind.options)


def resolved(spec: SessionSpec) -> SessionSpec:
    """The same with default port and messages filled in; SpecError if it cannot be.

    An option that does not matter to the kind has its default value again: a person may have chosen it for
    another kind.
    """
    kind = kind_of(spec)
    spec.check()
    strange = {option.field: DEFAULTS[option.field] for option in OPTIONS if option not in kind.options}
    spec = replace(spec, **strange)    # type: ignore[arg-type]  # each the default of its field
    if WIRE not in kind.options:
        spec = replace(spec, wire_rules=None)
    usual = kind.messages
    if spec.behaviour == "push" and kind.messages_for_push is not None:
        usual = kind.messages_for_push
    messages = usual if spec.messages is None else spec.messages
    port = spec.service[1] if spec.service is not None else kind.port
    spec = replace(spec, port=spec.port or port, messages=messages)
    try:
        for text in messages:
            kind.check_message(text)
        kind.check(spec)
    except ValueError as error:
        raise SpecError(str(error)) from None
    return spec
