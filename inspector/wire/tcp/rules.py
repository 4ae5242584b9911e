"""The rules of TCP connections (RFC 9293), of datagrams to nobody, and of answers that are late."""

from inspector.wire.findings import Rule, Rulebook

BOOK = Rulebook(
    Rule("tcp.connection-refused", "warning", "RFC 9293 §3.10.7.1",
         "A process should listen on this port and address before the client connects."),
    Rule("tcp.no-answer", "warning", "RFC 9293 §3.8.3",
         "The peer should answer SYN with SYN ACK, or RST where nobody listens."),
    Rule("tcp.unreachable", "warning", "RFC 9293 §3.9.2.2",
         "Look at the route and at firewalls on the way: an ICMP error came back."),
    Rule("tcp.backlog-full", "warning", "RFC 9293 §3.9.1.1",
         "The listener should accept() faster, or listen() with a larger backlog; or packets are lost."),
    Rule("tcp.late-answer", "note", "RFC 6298 §2",
         "Each SYN that is lost, or meets a full backlog, costs its client 1 s or more: accept() faster, or"
         " listen() with a larger backlog."),
    Rule("tcp.close-wait", "warning", "RFC 9293 §3.6",
         "The application should close() when recv() gives no more bytes; else its sockets pile up."),
    Rule("tcp.reset-with-unread-data", "warning", "RFC 9293 §3.6.1",
         "close() with bytes unread makes the kernel reset, as SO_LINGER 0 does, and the peer may lose data:"
         " read all that came, then close()."),
    Rule("tcp.sent-after-close", "warning", "RFC 9293 §3.6",
         "Who keeps a connection should look for its end (recv() gives 0) before it sends on it again,"
         " and take a new one then; who closes should keep idle ones for longer."),
    Rule("tcp.reset-after-data", "warning", "RFC 9293 §3.10.5",
         "Close in order: shut down, read to the end, close(). With bytes unread, or SO_LINGER 0, close()"
         " resets, and throws away what is on its way."),
    Rule("tcp.reset-after-open", "note", "RFC 9293 §3.10.5",
         "Who looks whether somebody listens may do so; a server should say why it refuses, and close()."),
    Rule("tcp.half-open", "warning", "RFC 9293 §3.5.1",
         "Both ends should know of the connection; the other one closed, restarted, crashed or forgot it."),
    Rule("tcp.small-write-stall", "warning", "RFC 9293 §3.7.4",
         "Write a message in one call (or set TCP_NODELAY), so that Nagle does not wait for a delayed ACK."),
    Rule("tcp.zero-window-stall", "warning", "RFC 9293 §3.8.6",
         "The application should read; its receive buffer is full."),
    Rule("tcp.conflicting-retransmission", "warning", "RFC 9293 §3.10.7.4",
         "What is sent again should be the same; which of the two a receiver keeps, depends on its system."),
    Rule("tcp.urgent-data", "note", "RFC 6093 §6",
         "A program reads such a byte apart from the others, so it stands in no message here; only with"
         " SO_OOBINLINE is it among them. New protocols should not use it."),
    Rule("answer.slow", "note", "time(7)",
         "Look at what it does in this time; who waits for news on purpose (a long poll) is right to."),
    Rule("answer.gave-up", "warning", "RFC 9293 §3.6.1",
         "Look at what takes so long to answer; or who asks should wait for longer."),
    Rule("answer.broken-off", "note", "RFC 9293 §3.6.1",
         "Whoever answers is not to blame: a user who stops, a time-out or a limit ends it so."),
    Rule("udp.port-unreachable", "warning", "RFC 1122 §4.1.3.3",
         "A process should be bound to this port and address."),
    Rule("udp.no-answer", "note", "RFC 768",
         "Where an answer is due, somebody should read there, and no firewall drop it; UDP itself promises"
         " none, and a log or a counter gets none."),
    Rule("udp.lost-fragment", "note", "RFC 1122 §3.3.2",
         "Datagrams that fit into one packet are lost one by one, not all for each of their fragments."),
)
finding = BOOK.finding
ENDINGS = frozenset({"tcp.reset-with-unread-data", "tcp.reset-after-data", "tcp.sent-after-close"})
"""What TCP alone says of an end that a protocol above may have announced."""
