"""What may be said of a PostgreSQL connection."""

from inspector.wire.findings import Rule, Rulebook

_FLOW = "PostgreSQL §55.2"
BOOK = Rulebook(
    Rule("pgsql.error-response", "note", f"{_FLOW}.2", "Look at the query that it answers."),
    Rule("pgsql.fatal-error", "warning", f"{_FLOW}.1",
         "Look at the server's settings, and at what the client asks for."),
    Rule("pgsql.unanswered-query", "warning", f"{_FLOW}.2",
         "Every query should get its answer before the connection ends."),
    Rule("pgsql.open-transaction", "warning", f"{_FLOW}.2", "COMMIT or ROLLBACK should come first."),
    Rule("pgsql.no-tls", "warning", f"{_FLOW}.11",
         "The server should have ssl = on, or the client take sslmode=prefer or disable."),
    Rule("pgsql.no-message", "error", "PostgreSQL §55.1", "Every message has its type and its length."),
    Rule("pgsql.incomplete-message", "error", "PostgreSQL §55.1",
         "The sender should close only after all that it announced."),
)
