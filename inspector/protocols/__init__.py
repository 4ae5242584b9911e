"""Every protocol that is told: its name, its fields, how it is recognised, read and judged.

A protocol is one file or one folder here, and one line in `REGISTRY`.
"""

from inspector.protocols.http import findings as http_findings
from inspector.protocols.websocket import findings as websocket_findings
from inspector.wire.findings import Rule
from inspector.wire.tcp import rules as tcp_rules

RULES: dict[str, Rule] = {
    rule.id: rule
    for book in (tcp_rules.BOOK, http_findings.BOOK, websocket_findings.BOOK)
    for rule in book.rules
}
"""The rules of all books by their id."""
