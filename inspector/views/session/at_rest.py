"""Why nothing can be stepped: in which calls the ends are blocked, who has closed, and which keys help.

Calls and the roles that run -> a sentence for a toast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from inspector.model.language import Sentence, sentence, tr
from inspector.model.records import Call
from inspector.views.session.sockets import Socket, SocketTable

_COMPOSER_KEYS = {"client": "c", "server": "v"}
_ONE_WAY = (", SHUT_WR", ", SHUT_RDWR")


def nothing_to_step(calls: Sequence[Call], running: Set[str], anew: Mapping[str, tuple[str, str]], *,
                    held: bool) -> str:
    """The sentence. `anew`: role -> key and name of what opens its socket again; `held`: packets wait."""
    table = SocketTable()
    table.update(calls)
    roles = [role for role in ("client", "server") if role in running]
    ends = [tr(_doing(role, table, calls)) for role in roles]
    senders = [_COMPOSER_KEYS[role] for role in roles if _can_send(role, table, calls)]
    keys = [tr("p lets a packet pass that waits on the wire")] if held else []
    either = tr(" or ").join(senders)
    keys += [tr("{keys} says something", keys=either), tr("x closes")] if senders else []
    for role in roles:
        if role in anew and not _open(role, table):
            key, name = anew[role]
            keys.append(f"x {key}: {name.lower()}")
    help_keys = sentence(" {keys}.", keys=tr("; ").join(keys)) if keys else ""
    return tr("Nothing to step: {ends}.{keys}", ends=tr(", ").join(ends), keys=help_keys)


def _open(role: str, table: SocketTable) -> list[Socket]:
    return [socket for socket in table.sockets if socket.role == role and socket.closed_ns is None]


def _doing(role: str, table: SocketTable, calls: Sequence[Call]) -> Sentence:
    who = sentence("client") if role == "client" else sentence("server")
    blocked = [f"{call.name}()" for call in _blocked(role, calls)]
    if blocked:
        return sentence("the {who} waits in {calls}", who=who, calls=tr(" and ").join(sorted(set(blocked))))
    return (sentence("the {who} has no call to make", who=who) if _open(role, table) else
            sentence("the {who} is closed", who=who))


def _blocked(role: str, calls: Sequence[Call]) -> Iterator[Call]:
    return (call for call in calls if call.role == role and call.end_ns is None)


def _can_send(role: str, table: SocketTable, calls: Sequence[Call]) -> bool:
    """Whether it has a socket over which it may send: connected, and its direction not ended."""
    if any(call.name == "connect" for call in _blocked(role, calls)):
        return False
    ended = {table.of_call[index] for index, call in enumerate(calls)
             if call.name == "shutdown" and call.arguments.endswith(_ONE_WAY)}
    return any(not socket.listening and socket.number not in ended for socket in _open(role, table))

