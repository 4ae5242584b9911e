"""Write beside the captures of tests/data/protocols what tshark says of a protocol in them: X.tsv.

`python -m tests.tools.protocol_oracle [NAME ...]`; needs tshark 4.0. One line a packet that ends a message:
its time, then each field with all of its values, which stand between U+001F. `test_tshark.py` reads them.
With `cut` as a name: tests/data/cut/PROTOCOL.tsv, the same of captures that a snapshot length cut, each line
after the capture and that length; `test_cut.py` reads them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.oracles.cutting import cut_file

DATA = Path(__file__).parents[1] / "data" / "protocols"
FIELDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "postgresql": ("pgsql", (), (
        "pgsql.type", "pgsql.query", "pgsql.statement", "pgsql.portal", "pgsql.tag", "pgsql.status",
        "pgsql.authtype", "pgsql.col.name", "pgsql.severity", "pgsql.code", "pgsql.message",
        "pgsql.hint", "pgsql.condition")),
    "http2": ("http2", ("-d", "tcp.port==8080,http2", "-d", "tcp.port==50051,http2"), (
        "http2.type", "http2.streamid", "http2.length", "http2.header.name", "http2.header.value",
        "http2.headers.method", "http2.headers.path", "http2.headers.status", "http2.headers.content_type",
        "grpc.message_length", "grpc.compressed_flag")),
    "mqtt": ("mqtt", ("-d", "tcp.port==1884,mqtt"), (
        "mqtt.msgtype", "mqtt.len", "mqtt.topic", "mqtt.qos", "mqtt.msgid", "mqtt.clientid", "mqtt.username",
        "mqtt.willtopic", "mqtt.kalive", "mqtt.ver", "mqtt.suback.qos", "mqtt.conack.val")),
    "mysql": ("mysql", (), (
        "mysql.packet_length", "mysql.packet_number", "mysql.command", "mysql.query", "mysql.error_code",
        "mysql.sqlstate", "mysql.error.message", "mysql.user", "mysql.schema", "mysql.version")),
    "tls.http": ("http", (), ("http.request.method", "http.request.uri", "http.response.code", "http.host")),
    "tls.http2": ("http2", (), (
        "http2.type", "http2.streamid", "http2.length", "http2.headers.method", "http2.headers.path",
        "http2.headers.status", "http2.header.value")),
    "tls.websocket": ("websocket", (), ("websocket.opcode", "websocket.mask", "websocket.payload_length")),
}
"""Of each capture (and what stands behind a dot): the protocol's name, options of tshark, fields of both."""
SNAPLENS = 80, 120, 200, 400
_PORTS = ("-d", "tcp.port==8000,http", "-d", "tcp.port==8001,http")
CUT: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "http": (
        ("sessions/python-http", "sessions/nginx-keepalive", "sessions/chunked", "traces/http"), _PORTS,
        ("http.request.method", "http.request.uri", "http.response.code", "http.content_length_header",
         "http.host", "http.server")),
    "websocket": (("traces/websocket",), (), ("websocket.opcode", "websocket.payload_length")),
    "http2": (("protocols/http2",), ("-d", "tcp.port==8080,http2", "-d", "tcp.port==50051,http2"), (
        "http2.type",)),
    "pgsql": (("protocols/postgresql",), (), ("pgsql.type",)),
    "mysql": (("protocols/mysql",), (), ("mysql.command",)),
    "mqtt": (("protocols/mqtt",), ("-d", "tcp.port==1884,mqtt"), ("mqtt.msgtype",)),
    "redis": (("protocols/redis",), (), ("tcp.len",)),
    "tls": (("protocols/tls",), ("-o", "tls.keylog_file:"), ("tls.record.content_type",)),
}
"""Of each protocol: captures that are cut, options of tshark, fields."""


def capture(name: str) -> Path:
    """The capture that a table is of."""
    return DATA / f"{name.partition('.')[0]}.pcapng"


def table(name: str) -> str:
    """tshark's table of a capture."""
    protocol, options, fields = FIELDS[name]
    command = ["tshark", "-n", *options, "-r", str(capture(name)), "-Y", protocol, "-T", "fields",
               "-E", "header=y", "-E", "aggregator=\x1f", "-e", "frame.time_epoch"]
    command += [argument for field in fields for argument in ("-e", field)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


def cut_table(protocol: str) -> str:
    """tshark's table of a protocol in captures that are cut."""
    captures, options, fields = CUT[protocol]
    lines = ["\t".join(("capture", "snaplen", "time_ns", *fields))]
    for name in captures:
        for snaplen in SNAPLENS:
            with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
                file.write(cut_file((DATA.parent / f"{name}.pcapng").read_bytes(), snaplen))
                file.flush()
                reported = _reported(file.name, protocol, options, fields)
                lines += [f"{name}\t{snaplen}\t{line}" for line in reported]
    return "\n".join(lines) + "\n"


def _reported(path: str, protocol: str, options: tuple[str, ...], fields: tuple[str, ...]) -> list[str]:
    name = "resp" if protocol == "redis" else protocol
    command = ["tshark", "-n", *options, "-r", path, "-Y", name, "-T", "fields", "-E", "aggregator=\x1f",
               "-e", "frame.time_epoch"]
    command += [argument for field in fields for argument in ("-e", field)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        time, _, rest = line.partition("\t")
        found.append(f"{time.replace('.', '')}\t{rest}")
    return found


if __name__ == "__main__":
    for chosen in sys.argv[1:] or FIELDS:
        if chosen == "cut":
            for one in CUT:
                (DATA.parent / "cut" / f"{one}.tsv").write_text(cut_table(one), encoding="utf-8")
            continue
        (DATA / f"{chosen}.tsv").write_text(table(chosen), encoding="utf-8")
