"""What may be said of server-sent events."""

from inspector.wire.findings import Rule, Rulebook

BOOK = Rulebook(
    Rule("sse.unfinished-event", "warning", "WHATWG HTML §9.2.6",
         "An empty line should end every event, the last one too."),
    Rule("sse.event-without-data", "warning", "WHATWG HTML §9.2.6",
         "It should have a line of data, be it an empty one (\"data:\")."),
    Rule("sse.unknown-field", "note", "WHATWG HTML §9.2.6",
         "A line begins with data, event, id or retry, in lower case and without a space before it, or with "
         "a colon; each line of data needs a \"data:\" of its own."),
    Rule("sse.invalid-retry", "note", "WHATWG HTML §9.2.6", "It should be milliseconds, digits alone."),
    Rule("sse.null-in-id", "note", "WHATWG HTML §9.2.6", "An id should have no NULL character."),
    Rule("sse.compressed", "note", "RFC 9110 §8.4",
         "They stand in the body of the answer."),
    Rule("sse.not-utf-8", "warning", "WHATWG HTML §9.2.5", "It should be UTF-8, whatever the header says."),
)
