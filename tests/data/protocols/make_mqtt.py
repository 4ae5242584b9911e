"""Makes mqtt.pcapng: what mosquitto's clients and plain sockets say to mosquitto, in a private network.

    python -m tests.data.protocols.make_mqtt

It records itself in the lab (mosquitto, mosquitto_pub and mosquitto_sub are needed). The conversations: a
subscriber and publishers of QoS 0, 1 and 2 in 3.1.1 and 5, a will, a topic alias, pings, a refused password.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.data.protocols.recording import recorded

CAPTURE = Path(__file__).with_name("mqtt.pcapng")
OPEN, CLOSED = 1883, 1884
SETTINGS = """
per_listener_settings true
listener {open} 127.0.0.1
allow_anonymous true
listener {closed} 127.0.0.1
allow_anonymous false
password_file {folder}/users
"""


def play() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "users").write_text("")
        Path(folder, "conf").write_text(SETTINGS.format(open=OPEN, closed=CLOSED, folder=folder))
        with subprocess.Popen(["mosquitto", "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL) as server:
            time.sleep(0.5)
            try:
                exchange()
            finally:
                server.terminate()


def run(program: str, *options: str, port: int = OPEN) -> None:
    subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), *options], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def exchange() -> None:
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(OPEN), "-i", "listener", "-q", "2", "-C", "6",
               "-t", "fruit/#", "-t", "$SYS/broker/version"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL):
        time.sleep(0.2)
        run("mosquitto_pub", "-i", "first", "-t", "fruit/apple", "-m", "ripe")
        run("mosquitto_pub", "-i", "second", "-q", "1", "-t", "fruit/pear", "-m", '{"price": 2.25}', "-r")
        run("mosquitto_pub", "-i", "third", "-q", "2", "-t", "fruit/fig", "-m", "Käse und Feigen")
        run("mosquitto_pub", "-i", "fourth", "-V", "5", "-q", "1", "-t", "nobody/listens", "-m", "hello",
            "-D", "publish", "user-property", "colour", "red", "-D", "publish", "content-type", "text/plain")
        run("mosquitto_pub", "-i", "fifth", "-V", "5", "-q", "2", "-t", "fruit/plum", "-m", "x" * 3000)
        run("mosquitto_pub", "-i", "sixth", "-u", "ada", "-P", "secret", "-t", "x", "-m", "y", port=CLOSED)
        run("mosquitto_pub", "-i", "sixth", "-V", "5", "-u", "ada", "-P", "secret", "-t", "x", "-m", "y",
            port=CLOSED)
        by_hand()


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([first, len(body)]) + body


def by_hand() -> None:
    client = socket.create_connection(("127.0.0.1", OPEN))
    will = packet(0x10, text("MQTT"), b"\x05\x06\0\x3c\0", text("hand"), b"\0", text("fruit/last"),
                  text("bye"))
    first = packet(0x30, text("fruit/alias"), b"\x03\x23\0\1", b"one")
    again = packet(0x30, text(""), b"\x03\x23\0\1", b"two")
    for data in (will, packet(0x82, b"\0\1\0", text("a/b"), b"\1"), first, again, packet(0xC0),
                 packet(0xA2, b"\0\2\0", text("a/b"))):
        client.sendall(data)
        client.settimeout(0.1)
        try:
            client.recv(1 << 16)
        except TimeoutError:
            pass
    client.close()
    time.sleep(0.3)


if __name__ == "__main__":
    play() if sys.argv[1:] == ["play"] else recorded(CAPTURE)
