"""Write beside the captures of tests/data/protocols what tshark says of a protocol in them: X.tsv.

`python -m tests.tools.protocol_oracle [NAME ...]`; needs tshark 4.0. One line a packet that ends a message:
its time, then each field with all of its values, which stand between U+001F. `test_tshark.py` reads them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


if __name__ == "__main__":
    for chosen in sys.argv[1:] or FIELDS:
        (DATA / f"{chosen}.tsv").write_text(table(chosen), encoding="utf-8")
