"""Makes http2.pcapng: what nghttp, curl, h2load and gRPC say to real servers, in a private network.

    python -m tests.data.protocols.make_http2          (nghttp2's programs, curl; grpcio where PLAYER has it)

It records itself in the lab. The conversations: prior knowledge with a pushed file, eight
streams at once, a large upload; gRPC's four kinds of calls, large, compressed, failing, out of time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

from tests.data.protocols.recording import recorded

CAPTURE = Path(__file__).with_name("http2.pcapng")
HTTP, GRPC = 8080, 50051


def play() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "index.html").write_text("<link rel=stylesheet href=/style.css><p>hello\n")
        Path(folder, "style.css").write_text("p { color: red }\n")
        Path(folder, "large").write_bytes(bytes(40_000))
        server = subprocess.Popen(["nghttpd", "--no-tls", "-d", folder, "-p", "/=/style.css", str(HTTP)],
                                  stdout=subprocess.DEVNULL)
        time.sleep(0.4)
        try:
            base = f"http://127.0.0.1:{HTTP}"
            run("nghttp", "-n", base + "/", base + "/nothing")
            run("curl", "-s", "--http2-prior-knowledge", "-d", f"@{folder}/large", base + "/large")
            run("h2load", "-n", "16", "-c", "1", "-m", "8", base + "/style.css")
        finally:
            server.terminate()
            server.wait()
    calls()


def run(*command: str) -> None:
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def calls() -> None:
    import grpc  # type: ignore[import-not-found,import-untyped,unused-ignore]

    def echo(request: bytes, context: Any) -> bytes:
        return request * 2

    def fail(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such fruit: Käse")
        return b""

    def count(request: bytes, context: Any) -> Iterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    def total(requests: Iterable[bytes], context: Any) -> bytes:
        return b"%d" % sum(map(len, requests))

    def answers(requests: Iterable[bytes], context: Any) -> Iterator[bytes]:
        yield from requests

    def slow(request: bytes, context: Any) -> bytes:
        time.sleep(0.3)
        return b""

    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo), "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Talk": grpc.stream_stream_rpc_method_handler(answers),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Fruit", handlers),))
    server.add_insecure_port(f"127.0.0.1:{GRPC}")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{GRPC}") as channel:
        channel.unary_unary("/test.Fruit/Echo")(b"apple")
        channel.unary_unary("/test.Fruit/Echo")(bytes(30_000))
        packed = grpc.Compression.Gzip
        channel.unary_unary("/test.Fruit/Echo")(b"pear" * 100, compression=packed)
        list(channel.unary_stream("/test.Fruit/Count")(b""))
        channel.stream_unary("/test.Fruit/Total")(iter([b"a", b"bc", b"def"]))
        list(channel.stream_stream("/test.Fruit/Talk")(iter([b"one", b"two"])))
        for path, timeout in (("Fail", 5.0), ("Missing", 5.0), ("Slow", 0.1)):
            try:
                channel.unary_unary(f"/test.Fruit/{path}")(b"", timeout=timeout)
            except grpc.RpcError:
                pass
        time.sleep(0.4)
    server.stop(0).wait()


if __name__ == "__main__":
    play() if sys.argv[1:] == ["play"] else recorded(CAPTURE, player=os.environ.get("PLAYER", sys.executable))
