"""The rules of Redis' protocol, RESP2 and RESP3."""

from inspector.wire.findings import Rule, Rulebook

_RESP = "Redis serialization protocol specification"
BOOK = Rulebook(
    Rule("redis.invalid-type", "error", _RESP,
         "A value begins with one of + - : $ * _ # , ( ! = % ~ > |, an argument of a command with $."),
    Rule("redis.invalid-length", "error", _RESP,
         "A length is a decimal number, and -1 only for a null string or array of RESP2."),
    Rule("redis.invalid-value", "error", _RESP,
         "An integer is decimal, a boolean t or f, a double a number, inf or nan, a null empty."),
    Rule("redis.invalid-line-end", "error", _RESP, "Lines and bulk strings end with CR LF."),
    Rule("redis.inline-too-long", "error", _RESP, "redis-server takes inline commands up to 64 KB."),
    Rule("redis.too-deep", "warning", _RESP, "What follows was not decoded."),
    Rule("redis.incomplete-message", "error", _RESP,
         "The sender should close only after all that it announced."),
    Rule("redis.unanswered-request", "warning", _RESP,
         "Every request should get a reply before the connection ends."),
    Rule("redis.error-reply", "note", _RESP, "Look at the command that it answers."),
)
finding = BOOK.finding
