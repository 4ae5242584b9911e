"""The capture against a real kernel, in a lab: what is in the file was on the wire, once and whole."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.capture.writer import TraceWriter
from inspector.trace.trace import Trace
from inspector.wire.journal import EventRecord
from tests.support.running.capture import in_lab
from tests.support.running.lab import needs_lab, read_trace

pytestmark = needs_lab
SOURCES = ["Ring(open_packet_socket(program))", "Receiver(open_packet_socket(program))"]
SYN = 0x02
both_sources = pytest.mark.parametrize("source", SOURCES, ids=["ring", "recvmsg"])


def payload(frame: bytes) -> bytes:
    return frame[14 + 20 + 8 :]


def stream_of(frames: list[bytes], port: int) -> bytes:
    """What went to a port on one TCP connection; each segment is put where its sequence number says.

    Under load segments are sent again, cut elsewhere: they may overlap and come in any order.
    """
    data, first = bytearray(), 0
    for frame in frames:
        to, seq = struct.unpack_from("!HI", frame, 36)
        if to != port:
            continue
        if frame[47] & SYN:
            first = seq + 1
        at, body = (seq - first) & 0xFFFFFFFF, frame[34 + (frame[46] >> 4) * 4 :]
        if body:
            data.extend(bytes(max(at + len(body) - len(data), 0)))
            data[at : at + len(body)] = body
    return bytes(data)


@both_sources
def test_each_datagram_once_in_order_with_the_kernels_time(tmp_path: Path, source: str) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, f"""
        program = ACCEPT_ALL
        running = start({source})
        sender, receiver = pair()
        before = time.time_ns()
        for number in range(5000):
            sender.sendto(number.to_bytes(4, "big") + bytes(number % 97), ("127.0.0.1", 7000))
        after = time.time_ns()
        running.stop()
        print(json.dumps([["before", before], ["after", after], ["counts", running.writer.packets]]))
    """)
    reading = read_trace(path)
    assert reading.rest == 0
    assert [int.from_bytes(payload(frame)[:4], "big") for frame in reading.frames] == list(range(5000))
    assert [len(payload(frame)) for frame in reading.frames] == [4 + number % 97 for number in range(5000)]
    assert reading.times == sorted(reading.times)
    assert answer["before"] <= reading.times[0] <= reading.times[-1] <= answer["after"]
    assert (reading.received, reading.dropped) == (5000, 0)
    assert reading.statistics.delivered == answer["counts"] == 5000


@both_sources
def test_what_no_reader_takes_is_cut_and_counted(tmp_path: Path, source: str) -> None:
    """BIG TCP: frames beyond 262,144 bytes, which is the most that a pcapng's readers take of one."""
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, f"""
        import threading
        from tests.tools.kernel.big_tcp import allow, transfer
        try:
            allow(socket.if_nametoindex("lo"))
        except AssertionError:
            print(json.dumps([["cut", -1]]))
            sys.exit()
        program = ACCEPT_ALL
        running = start({source})
        for _ in range(20):
            transfer(socket.AF_INET6, "::1")
        running.stop()
        print(json.dumps([["cut", running.writer.cut]]))
    """)
    if answer["cut"] < 0:
        pytest.skip("this kernel has no BIG TCP")
    with Trace.open(path) as trace:
        trace.finish()
        short = trace.index.cap_len < trace.index.length
        assert trace.cut == answer["cut"] == short.sum()
        assert (trace.index.cap_len[short] >= 262_000).all() and trace.index.cap_len.max() <= 262_144
        assert trace.truncated is None


def test_statistics_go_on_for_a_while_in_silence(tmp_path: Path) -> None:
    """Their time says that nothing came, which no packet does."""
    path = tmp_path / "t.pcapng"
    in_lab(path, """
        running = start()
        sender, receiver = pair()
        sender.sendto(b"alone", ("127.0.0.1", 7000))
        sizes = set()
        while len(sizes) < 5:                      # the packet, and what is written each second after it
            sizes.add(os.path.getsize(path))
            time.sleep(0.05)
        os._exit(0)                                # no last ones
    """)
    with Trace.open(path) as trace:
        trace.finish()
        assert trace.index.count == 1 and trace.end_ns - int(trace.index.time_ns[0]) >= 1_000_000_000


@pytest.mark.quick
@both_sources
def test_frames_of_65549_bytes_are_whole(tmp_path: Path, source: str) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, f"""
        program = ACCEPT_ALL
        running = start({source})
        sender, receiver = pair()
        for number in range(40):
            sender.sendto(bytes([number]) * 65507, ("127.0.0.1", 7000))
            sender.sendto(b"small", ("127.0.0.1", 7000))
        running.stop()
    """)
    reading = read_trace(path)
    large, small = reading.frames[::2], reading.frames[1::2]
    assert [payload(frame) for frame in large] == [bytes([number]) * 65507 for number in range(40)]
    assert {payload(frame) for frame in small} == {b"small"}
    assert {len(frame) for frame in large} == {65549}


@both_sources
def test_segments_of_64_kb_and_the_whole_stream(tmp_path: Path, source: str) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, f"""
        import threading
        program = ACCEPT_ALL
        running = start({source})
        client, server = pair(socket.SOCK_STREAM)
        server.listen()
        def read():
            connection = server.accept()[0]
            while connection.recv(1 << 20):
                pass
            connection.close()
        thread = threading.Thread(target=read)
        thread.start()
        client.connect(("127.0.0.1", 7000))
        client.sendall(b"".join(i.to_bytes(4, "big") for i in range(1 << 20)))
        client.close()
        thread.join()
        running.stop()
    """)
    reading = read_trace(path)
    assert reading.dropped == 0
    assert stream_of(reading.frames, 7000) == b"".join(i.to_bytes(4, "big") for i in range(1 << 20))
    assert max(map(len, reading.frames)) > 60_000


@both_sources
@pytest.mark.parametrize("snaplen", [60, 61, 62, 63])
def test_snaplen_cuts_and_the_true_length_stays(tmp_path: Path, source: str, snaplen: int) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, f"""
        program = accept_all({snaplen})
        running = start({source}, snaplen={snaplen})
        sender, receiver = pair()
        for size in range(0, 200):
            sender.sendto(bytes(size), ("127.0.0.1", 7000))
        running.stop()
    """)
    reading = read_trace(path)
    assert reading.lengths == [42 + size for size in range(200)]
    assert [len(frame) for frame in reading.frames] == [min(snaplen, 42 + size) for size in range(200)]
    assert reading.rest == 0


@both_sources
@pytest.mark.parametrize(
    "filter", ["ports=[7001]", "text='udp port 7001'", "text='host 127.0.0.1 and port 7001'"]
)
def test_the_kernel_runs_our_filters(tmp_path: Path, source: str, filter: str) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, f"""
        from inspector.capture.choice import load_libpcap
        if "udp" in {filter!r} and load_libpcap() is None:
            raise SystemExit
        program, text = choose_program({filter})
        running = start({source}, filter=text)
        sender, receiver = pair()
        other, beside = pair(port=7001)
        six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        six.bind(("::1", 7001))
        for number in range(100):
            sender.sendto(b"no", ("127.0.0.1", 7000))
            other.sendto(b"yes", ("127.0.0.1", 7001))
            six.sendto(b"yes", ("::1", 7001))
            other.sendto(b"yes", ("127.0.0.1", 7001))
        sender.sendto(bytes(65507), ("127.0.0.1", 7001))
        running.stop()
    """)
    if not path.exists():
        pytest.skip("no libpcap here")
    reading = read_trace(path)
    counts = {length: reading.lengths.count(length) for length in (44, 45, 65, 65549)}
    assert counts == {44: 0, 45: 200, 65: 0 if "host" in filter else 100, 65549: 1}
    assert len(reading.frames) == sum(counts.values())


def test_icmp_errors_that_quote_the_port_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, """
        running = start(open_source(choose_program([7777])[0]))
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            sender = socket.socket(family, socket.SOCK_DGRAM)
            sender.sendto(b"anybody?", (address, 7777))
            sender.sendto(b"anybody?", (address, 7778))
        running.stop()
    """)
    frames = read_trace(path).frames
    assert [frame[23] for frame in frames if frame[12:14] == b"\x08\x00"] == [17, 1]
    assert [frame[20] for frame in frames if frame[12:14] == b"\x86\xdd"] == [17, 58]


def test_a_ring_that_is_too_small_loses_packets_and_says_how_many(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, """
        import select
        source = Ring(open_packet_socket(), blocks=2, block_size=1 << 16)
        sender, receiver = pair()
        for number in range(3000):                 # nobody reads yet
            sender.sendto(number.to_bytes(4, "big") + bytes(100), ("127.0.0.1", 7000))
        running = start(source)
        for number in range(3000, 3100):
            time.sleep(0.0002)
            sender.sendto(number.to_bytes(4, "big") + bytes(100), ("127.0.0.1", 7000))
        while running.writer.packets == 0 or select.select([source], [], [], 0)[0]:
            time.sleep(0.01)                       # until a block is the kernel's again
        sender.sendto(b"last", ("127.0.0.1", 7000))
        running.stop()
    """)
    reading = read_trace(path)
    assert reading.dropped > 0
    assert reading.received == 3101
    assert len(reading.frames) == reading.received - reading.dropped
    assert payload(reading.frames[-1]) == b"last"
    numbers = [int.from_bytes(payload(frame)[:4], "big") for frame in reading.frames[:-1]]
    assert numbers == sorted(set(numbers))
    assert "freezes" in " ".join(reading.statistics.comments)


def test_the_ring_goes_round_many_times(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, """
        running = start(Ring(open_packet_socket(), blocks=8, block_size=1 << 16))
        sender, receiver = pair()
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        for number in range(20000):
            sender.sendto(number.to_bytes(4, "big") + bytes(number * 7 % 1300), ("127.0.0.1", 7000))
            if number % 100 == 0:
                time.sleep(0.003)
        running.stop()
    """)
    reading = read_trace(path)
    lost = reading.dropped
    assert len(reading.frames) + lost == 20000
    for frame in reading.frames:
        body = payload(frame)
        assert len(body) == 4 + int.from_bytes(body[:4], "big") * 7 % 1300
        assert not any(body[4:])


def test_the_limit_of_packets_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, """
        running = start(most=150)
        sender, receiver = pair()
        for number in range(500):
            sender.sendto(bytes(100), ("127.0.0.1", 7000))
        running.stop()
        print(json.dumps({"packets": running.writer.packets}))
    """)
    assert answer == {"packets": 150}
    reading = read_trace(path)
    assert (len(reading.frames), reading.rest) == (150, 0)
    assert reading.event("limit-reached").text == "The capture ended: 150 packets were captured."


def test_the_size_limit_has_a_clear_end(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, """
        running = start(max_size=100_000)
        sender, receiver = pair()
        for number in range(2000):
            sender.sendto(bytes(100), ("127.0.0.1", 7000))
        running.stop()
        print(json.dumps({"limited": running.writer.limited}))
    """)
    assert answer == {"limited": True}
    reading = read_trace(path)
    assert 95_000 < path.stat().st_size <= 100_000
    assert reading.rest == 0
    assert reading.events[-1].kind == "limit-reached"
    assert reading.events[-1].text == "The capture ended: the file has reached its limit of 100,000 bytes."
    assert reading.items[-1] is reading.events[-1]
    assert reading.received == 2000


def test_a_disk_that_is_full_is_said_and_the_file_ends_with_a_whole_block(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, """
        import resource, sys
        sys.dont_write_bytecode = True               # a .pyc that is cut breaks every later start
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        said = []
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        running = Capture(descriptor, description="", woken=lambda: None,
                          failed=lambda *words: said.extend(words))
        running.start()
        sender, receiver = pair()
        for number in range(2000):
            sender.sendto(bytes(100), ("127.0.0.1", 7000))
        while not said:
            time.sleep(0.01)
        running.stop()
        print(json.dumps({"said": said}))
    """)
    assert answer == {"said": ["The trace could not be written: File too large.", ""]}
    reading = read_trace(path)
    assert reading.rest == 0
    assert len(reading.frames) > 400


def test_open_source_falls_back_to_recvmsg(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, """
        def refuse(*_, **more):
            raise OSError(22, "Invalid argument")
        capture_module.Ring.__init__ = refuse
        running = start()
        sender, receiver = pair()
        sender.sendto(b"hello", ("127.0.0.1", 7000))
        running.stop()
        print(json.dumps({"kind": running.kind}))
    """)
    assert answer == {"kind": "recvmsg"}
    assert payload(read_trace(path).frames[0]) == b"hello"


@both_sources
def test_an_interface_that_goes_down_and_up_again(tmp_path: Path, source: str) -> None:
    path = tmp_path / "t.pcapng"
    answer = in_lab(path, f"""
        import fcntl, struct
        program = ACCEPT_ALL
        source = {source}
        reads, read = [], source.read
        source.read = lambda: (reads.append(1), read())[1]
        running = start(source)
        sender, receiver = pair()
        sender.sendto(b"before", ("127.0.0.1", 7000))
        while running.writer.packets == 0:
            time.sleep(0.01)
        fcntl.ioctl(sender, 0x8914, struct.pack("16sH14x", b"lo", 0))
        reads.clear()
        size = os.path.getsize(path)
        while os.path.getsize(path) == size:       # until it writes statistics, as each second
            time.sleep(0.01)
        turns = len(reads)
        namespace.loopback_up()
        sender.sendto(b"after", ("127.0.0.1", 7000))
        running.stop()
        print(json.dumps({{"turns": turns}}))
    """)
    payloads = [payload(frame) for frame in read_trace(path).frames if frame[12:14] == b"\x08\x00"]
    assert payloads == [b"before", b"after"]
    assert answer["turns"] < 100                   # it does not spin while the interface is down


def test_what_breaks_the_sniffer_is_told(tmp_path: Path) -> None:
    answer = in_lab(tmp_path / "t.pcapng", """
        source = Ring(open_packet_socket())
        said = []
        running = start(source, failed=lambda *words: said.extend(words))
        sender, receiver = pair()
        def broken():
            raise RuntimeError("broken ring")
        source.read = broken
        sender.sendto(b"x", ("127.0.0.1", 7000))
        while not said:
            time.sleep(0.01)
        print(json.dumps({"said": said}))
    """, quiet=False)                              # scapy says it too
    assert answer == {"said": ["The capture broke: RuntimeError('broken ring').", ""]}


def test_the_kernel_takes_long_programs_and_those_for_hosts(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    in_lab(path, """
        import ipaddress
        from inspector.capture.bpf import select, without_outgoing
        hosts = [ipaddress.ip_address(host) for host in ("127.0.0.1", "::1", "10.0.0.1", "fe80::1")]
        program = without_outgoing(select(range(7000, 7600), hosts, 100))
        running = start(Ring(open_packet_socket(program), blocks=8))
        six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for port in (6999, 7000, 7599, 7600):
            six.sendto(bytes(100), ("::1", port))
            four.sendto(bytes(100), ("127.0.0.1", port))
            four.sendto(bytes(100), ("127.0.0.2", port))       # from 127.0.0.1
        running.stop()
    """)
    reading = read_trace(path)
    udp = [frame for frame in reading.frames if 17 in (frame[20], frame[23])]
    assert len(udp) == 2 * 3
    assert {len(frame) for frame in udp} == {100}


def test_many_records_at_once_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What traces system calls tells thousands a second: each write costs the capture's thread."""
    real, sizes = os.write, list[int]()

    def counted(descriptor: int, data: bytes) -> int:
        sizes.append(len(data))
        return real(descriptor, data)

    with (tmp_path / "x").open("wb", buffering=0) as file:
        writer = TraceWriter(file.fileno(), lambda: None)
        monkeypatch.setattr(os, "write", counted)
        writer.record(*(EventRecord("note", f"number {at}", at) for at in range(100)))
        writer.flush()
    assert len(sizes) == 1


def test_of_records_that_a_full_disk_cuts_the_whole_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    code = """if True:
        import resource, os, sys
        from inspector.capture.writer import TraceWriter
        from inspector.wire.journal import EventRecord
        sys.dont_write_bytecode = True
        import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = TraceWriter(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), lambda: None)
        writer.begin(application="x", interface="lo", description="", filter="", snaplen=0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        writer.record(*(EventRecord("note", f"number {at}", at) for at in range(100)))
        try:
            writer.flush()
        except OSError:
            print(writer.broken, writer.size)
    """
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"True {path.stat().st_size}\n"
    reading = read_trace(path)
    assert reading.rest == 0
    assert [one.text for one in reading.events] == [f"number {at}" for at in range(len(reading.events))]
    assert path.stat().st_size > 1800
