"""What may be said of a TLS connection."""

from inspector.wire.findings import Rule, Rulebook

BOOK = Rulebook(
    Rule("tls.alert", "warning", "RFC 8446 §6.2", "Look at what the alert names."),
    Rule("tls.closed-in-handshake", "warning", "RFC 8446 §6.2",
         "The server should answer a Client Hello, or say by an alert why not; is it a port for TLS?"),
    Rule("tls.not-opened", "note", "RFC 8446 §5.2", "The secrets should be those of this very connection."),
    Rule("tls.no-record", "error", "RFC 8446 §5.1", "Every record has five bytes of header."),
)
