"""A real container, of docker and of podman where they run: its network is found by its name, and heard."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from inspector.capture.packet_socket import ANY, bind
from inspector.lab.capture.elsewhere import container, opened_in
from inspector.lab.errors import LabError
from inspector.lab.options import NO_LIMITS
from tests.support.running.lab import wait_until

PORT = 8080
_PATIENCE = 60


def done(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=given, capture_output=True, timeout=_PATIENCE, check=False)


def image() -> bytes:
    """A file system of busybox alone, with a page, as tar."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("an image needs busybox (Debian's busybox-static), which is not installed")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(Path(program).resolve(), "bin/busybox")
        page = tarfile.TarInfo("www/index.html")
        page.size = len(b"a page\n")
        tar.addfile(page, io.BytesIO(b"a page\n"))
    return packed.getvalue()


@pytest.fixture(params=["docker", "podman"])
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """A tool, and the name of its container that serves a page on its own loopback."""
    tool: str = request.param
    found, name = shutil.which(tool), f"inspector-test-{uuid4().hex[:8]}"
    if found is None or done(tool, "info").returncode:
        pytest.skip(f"{tool} is not installed here, or may not be used without privilege")
    if done(tool, "import", "-", f"{name}:1", given=image()).returncode:
        pytest.skip(f"{tool} can make no image here")
    try:
        own = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")     # more may be refused
        started = done(tool, "run", "-d", "--name", name, "--network", "none", *own, f"{name}:1",
                       "/bin/busybox", "httpd", "-f", "-p", str(PORT), "-h", "/www")
        if started.returncode:
            pytest.skip(f"{tool} can run nothing here: {started.stderr.decode()[-200:]}")
        wait_until(lambda: asked(tool, name) == b"a page\n", "the container's page")
        yield tool, name
    finally:
        done(tool, "rm", "-f", name)
        done(tool, "rmi", f"{name}:1")


def asked(tool: str, name: str) -> bytes:
    return done(tool, "exec", name, "/bin/busybox", "wget", "-qO-", f"http://127.0.0.1:{PORT}/").stdout


def test_a_real_container_is_heard_by_its_name(running: tuple[str, str]) -> None:
    tool, name = running
    try:
        packets = opened_in(container(name), (PORT,), NO_LIMITS)
    except LabError as error:
        pytest.skip(f"entering a container's network needs privilege here: {error}")
    with packets:
        bind(packets, ANY)
        packets.settimeout(_PATIENCE)
        assert asked(tool, name) == b"a page\n"
        heard = b""
        while b"a page\n" not in heard:
            heard += packets.recv(1 << 16)
        assert b"GET / HTTP/1.1\r\n" in heard
    done(tool, "kill", name)
    wait_until(lambda: stopped(name), "a container that does not run is said")


def stopped(name: str) -> bool:
    try:
        container(name)
    except LabError as error:
        return f"{name} does not run" in str(error)
    return False
