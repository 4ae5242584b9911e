"""What may be said of an MQTT connection."""

from inspector.wire.findings import Rule, Rulebook

_OASIS = "MQTT 5.0"
BOOK = Rulebook(
    Rule("mqtt.refused", "warning", f"{_OASIS} §3.2.2.2",
         "Look at name, password, identifier, and the server's rules."),
    Rule("mqtt.negative-answer", "warning", f"{_OASIS} §2.4", "Look at what the reason names."),
    Rule("mqtt.disconnected", "warning", f"{_OASIS} §3.14.2.1", "Look at what the reason names."),
    Rule("mqtt.unacknowledged", "warning", f"{_OASIS} §4.3.2",
         "The receiver should acknowledge it before it closes."),
    Rule("mqtt.unanswered", "warning", f"{_OASIS} §4.6", "It should be answered before the connection ends."),
    Rule("mqtt.will", "note", f"{_OASIS} §3.1.2.5",
         "A client that leaves as planned should send DISCONNECT first."),
    Rule("mqtt.no-packet", "error", f"{_OASIS} §2.1", "Every packet has its type, its flags and its length."),
)
