"""Makes postgresql.pcapng: what psql, pgbench and plain sockets say to PostgreSQL, in a private network.

    python -m tests.data.protocols.make_postgresql

It records itself in the lab (no root is needed; PostgreSQL's server programs and psql are, PGBIN tells where
they lie). The conversations: psql with every kind of statement, COPY both ways, a notification, errors, a
wrong database, pgbench's prepared statements, a pipeline, a flushed batch, a transaction that is left open.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.data.protocols.recording import recorded

CAPTURE = Path(__file__).with_name("postgresql.pcapng")
PORT = 5432
PROGRAMS = Path(os.environ.get("PGBIN", "/usr/lib/postgresql/15/bin"))
SQL = """
CREATE TABLE fruit (id int PRIMARY KEY, name text, price numeric);
INSERT INTO fruit VALUES (1, 'apple', 1.5), (2, 'pear', 2.25), (3, 'Käse', NULL);
SELECT * FROM fruit ORDER BY id;
SELECT nothing FROM nowhere;
BEGIN;
UPDATE fruit SET price = 3 WHERE id = 1;
ROLLBACK;
SELECT 1 AS one \\; SELECT 2 AS two;
COPY fruit FROM STDIN WITH (FORMAT csv);
4,plum,0.5
5,fig,4
\\.
COPY fruit TO STDOUT;
LISTEN news;
NOTIFY news, 'it rains';
DO $$ BEGIN RAISE NOTICE 'a notice'; END $$;
SELECT pg_sleep(0.05);
"""


def message(kind: str, *parts: str | bytes) -> bytes:
    """A message of the protocol; strings end with NUL."""
    body = b"".join(part.encode() + b"\0" if isinstance(part, str) else part for part in parts)
    return kind.encode() + (len(body) + 4).to_bytes(4, "big") + body


class Client:
    """A connection that has logged in (as trust allows)."""

    def __init__(self, database: str = "postgres") -> None:
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        body = b"\0\3\0\0" + f"user\0tester\0database\0{database}\0\0".encode()
        self.send((len(body) + 4).to_bytes(4, "big") + body)

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))
        self.socket.settimeout(0.15)
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            pass


def play() -> None:
    with tempfile.TemporaryDirectory() as folder:
        initdb = [str(PROGRAMS / "initdb"), "-D", folder, "-U", "tester", "--auth=trust",
                  "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
        Path(folder, "pg_hba.conf").write_text(
            "host all tester all trust\nhost all careful all scram-sha-256\nhost all plain all password\n")
        options = ["-D", folder, "-p", str(PORT), "-h", "127.0.0.1",
                   "-c", f"unix_socket_directories={folder}"]
        with subprocess.Popen([str(PROGRAMS / "postgres"), *options], stderr=subprocess.DEVNULL) as server:
            try:
                wait()
                exchange()
            finally:
                server.terminate()


def wait() -> None:
    ready = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(PORT)]
    while subprocess.run(ready, check=False).returncode:
        time.sleep(0.05)


def psql(user: str, script: str, database: str = "postgres") -> None:
    host = f"host=127.0.0.1 port={PORT} user={user} password=secret dbname={database}"
    subprocess.run(["psql", "-X", "-q", host], input=script, text=True, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def exchange() -> None:
    roles = "CREATE ROLE careful LOGIN PASSWORD 'secret'; CREATE ROLE plain LOGIN PASSWORD 'secret';"
    psql("tester", SQL + roles)
    psql("careful", "SELECT current_user;")
    psql("plain", "SELECT current_user;")
    psql("tester", "", database="nowhere")
    host = ["-h", "127.0.0.1", "-p", str(PORT), "-U", "tester", "postgres"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.sql")
        script.write_text("\\set id random(1, 5)\nSELECT name FROM fruit WHERE id = :id;\n")
        subprocess.run([str(PROGRAMS / "pgbench"), "-n", "-M", "prepared", "-t", "6", "-f", script, *host],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    extended()


def extended() -> None:
    flushed = Client()
    flushed.send(message("P", "named", "SELECT $1::int + $2::int AS sum", b"\0\0"),
                 message("D", b"S", "named"), message("H"))
    bound = message("B", "", "named", b"\0\0\0\2", b"\0\0\0\x0240", b"\0\0\0\x012", b"\0\0")
    flushed.send(bound, message("D", b"P", ""), message("E", "", b"\0\0\0\0"), message("S"))
    execute = message("E", "", b"\0\0\0\0")
    flushed.send(*(part for _ in range(3) for part in (bound, execute, message("S"))))       # a pipeline
    wrong = message("P", "", "SELECT wrong", b"\0\0")
    flushed.send(wrong, message("H"))
    flushed.send(bound, execute, message("H"))
    flushed.send(message("S"))
    flushed.send(message("Q", "SELECT 'after'"), message("X"))
    flushed.socket.close()
    left = Client()
    left.send(message("Q", "BEGIN; UPDATE fruit SET price = 9"))
    left.send(message("X"))
    left.socket.close()
    early = Client()
    early.socket.sendall(message("Q", "SELECT pg_sleep(5)"))
    time.sleep(0.1)
    early.socket.close()
    time.sleep(0.1)


if __name__ == "__main__":
    play() if sys.argv[1:] == ["play"] else recorded(CAPTURE)
