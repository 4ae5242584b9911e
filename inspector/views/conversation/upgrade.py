"""The WebSocket opening handshake: the request, the 101, and the proof, recomputed and compared.

`Upgrade` -> paragraphs of a `Document` (RFC 6455 section 4), each leading to its packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import tr, translated
from inspector.model.packets import Row, packet_number
from inspector.protocols.http.upgrade import GUID, Check, Upgrade
from inspector.views.line.document import Document
from inspector.views.line.spans import Style
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http.message import HttpMessage
    from inspector.trace.application.application import ApplicationLayers


def describe_upgrade(document: Document, upgrade: Upgrade, application: ApplicationLayers) -> None:
    """Add the upgrade: what was asked, what was answered, whether the proof holds."""
    asked = _row(application, upgrade.request)
    answered = _row(application, upgrade.response) if upgrade.response is not None else None
    verdict = tr("refused") if upgrade.response is not None else tr("no answer yet")
    if upgrade.accepted:
        verdict = tr("accepted, every check holds") if upgrade.valid else tr("accepted, but not rightly")
    document.heading(tr("WebSocket opening handshake"), verdict, row=asked)
    document.prose(f"1  {escaped(upgrade.request.start_line, 200)}   {_packet(asked)}", "exchange", asked)
    document.prose(tr("The client speaks HTTP for the last time and asks to change over. Its key is 16 "
                      "random bytes; it is no secret, it only must be answered by someone who knows "
                      "WebSocket."), row=asked)
    _checks(document, [check for check in upgrade.checks if check.side == "request"], asked)
    if upgrade.response is None:
        document.prose(tr("The server has not answered yet."), "warning", asked)
        return
    words = escaped(upgrade.response.start_line, 200)
    document.prose(f"2  {words}   {_packet(answered)}", "exchange", answered)
    _checks(document, [check for check in upgrade.checks if check.side == "response"], answered)
    _proof(document, upgrade, asked, answered)
    _negotiated(document, upgrade, answered)
    for found in upgrade.findings:
        document.prose(f"{escaped(found.clause)}: {escaped(tr(found.text), 400)}", "error", answered)


def _checks(document: Document, checks: list[Check], row: Row | None) -> None:
    for check in checks:
        actual = tr("missing") if check.actual is None else escaped(translated(check.actual), 200)
        note = "" if check.ok else tr("should be {what}", what=escaped(translated(check.expected), 200))
        document.fact(escaped(translated(check.name), 60), f"{actual}  {'✓' if check.ok else '✗'}", note,
                      "value" if check.ok else "error", row)


def _proof(document: Document, upgrade: Upgrade, asked: Row | None, answered: Row | None) -> None:
    """Key + GUID, SHA-1, base64, beside what the server sent."""
    if upgrade.proof is None:
        return
    proof = upgrade.proof
    document.heading(tr("The proof"), "base64(SHA-1(key + GUID))  RFC 6455 §4.2.2")
    document.prose(tr("The server shows that it read this very request and speaks WebSocket, and is no HTTP "
                      "server or cache that echoes something."))
    document.fact("key", escaped(proof.key, 200), tr("sent by the client"), row=asked)
    document.fact("+ GUID", GUID, tr("the same for everybody"))
    document.fact("SHA-1", proof.sha1.hex(" "))
    document.fact("base64", proof.expected, tr("what the server must send"), "key")
    same = upgrade.accept is not None and upgrade.accept.strip() == proof.expected
    sent = tr("nothing") if upgrade.accept is None else escaped(upgrade.accept, 200)
    words: tuple[str, str, Style] = (
        ("✓", tr("the same"), "ok") if same else ("✗", tr("not the same"), "error"))
    document.fact(tr("the server sent"), f"{sent}  {words[0]}", words[1], words[2], answered)


def _negotiated(document: Document, upgrade: Upgrade, row: Row | None) -> None:
    if not upgrade.accepted:
        return
    document.heading(tr("From now on"), tr("WebSocket frames in both directions"))
    subprotocol = escaped(upgrade.subprotocol, 100) if upgrade.subprotocol else tr("none")
    offered = ", ".join(escaped(name, 60) for name in upgrade.offered_subprotocols)
    document.fact(tr("subprotocol"), subprotocol, _offered(offered), row=row)
    names = ", ".join(escaped(extension.name, 60) for extension in upgrade.extensions) or tr("none")
    asked = ", ".join(escaped(extension.name, 60) for extension in upgrade.offered_extensions)
    document.fact(tr("extensions"), names, _offered(asked), row=row)


def _offered(names: str) -> str:
    return tr("offered: {names}", names=names) if names else tr("none was offered")


def _row(application: ApplicationLayers, message: HttpMessage) -> Row | None:
    rows = application.rows_of(message.direction, message.start, message.stop)
    return rows[0] if rows else None


def _packet(row: Row | None) -> str:
    return "" if row is None else tr("packet {number}", number=packet_number(row))
