"""strace's output as records: real lines, lines cut anywhere, and any bytes at all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.wire.strace import StraceReader

REAL = (Path(__file__).parents[1] / "data" / "strace" / "echo.txt").read_bytes()
HEAD = "7<srv> 1700000000.000000001 "


def messages(data: bytes) -> list[str]:
    return [record.message for record in StraceReader().take(data)]


def test_a_real_program_reads_as_our_own_endpoints_do() -> None:
    reader = StraceReader(lambda thread: 27100 if thread == 27103 else thread)
    found = list(reader.take(REAL))
    assert reader.done == {27103, 27100, 27053}
    server = [one for one in found if one.pid == 27053]
    client = [one for one in found if one.pid == 27100]
    assert [one.message for one in server][:7] == [
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3",
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1]) = 0",
        "bind(3, 127.0.0.1:9000) = 0",
        "listen(3, 128) = 0",
        "socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 4",
        "bind(4, [::1]:9001) = 0",
        "accept4(3) …",
    ]
    accepted = next(one for one in server if one.name == "accept4" and one.end_ns is not None)
    assert accepted.message == "accept4(3, SOCK_CLOEXEC) = 5  from 127.0.0.1:58906"
    assert (accepted.local, accepted.fd, accepted.protocol) == ("127.0.0.1:9000", 3, "tcp")
    assert accepted.end_ns == 1795749465665795436 + 27118533
    entered = next(one for one in server if one.name == "accept4")
    assert entered.id == accepted.id
    assert [one.message for one in client if one.end_ns is not None] == [
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 5",
        "connect(5, 127.0.0.1:9000) = 0",
        'sendto(5, "say \\"hello\\" = 5␍␊ä␀", 20) = 20',
        'recvfrom(5, 100) = 20  "say \\"hello\\" = 5␍␊ä␀"',
        "shutdown(5, SHUT_WR) = 0",
        "recvfrom(5, 10) = 0  end of stream",
        "close(5) = 0",
        "socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 5",
        'sendto(5, "' + "x" * 32 + '"…, 40, [::1]:9001) = 40',
        "close(5) = 0",
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 5",
        "connect(5, 127.0.0.1:1) = -1 ECONNREFUSED",
        "close(5) = 0",
    ]
    datagram = next(one for one in server if one.protocol == "udp" and one.detail)
    assert datagram.peer == "[::1]:54026"
    assert datagram.detail == '"' + "x" * 32 + '"… from [::1]:54026'


@given(st.lists(st.integers(0, len(REAL)), max_size=20))
def test_it_does_not_matter_where_the_output_is_cut(places: list[int]) -> None:
    reader, cuts = StraceReader(), [0, *sorted(places), len(REAL)]
    parts = [REAL[start:stop] for start, stop in pairwise(cuts)]
    found = [record.message for part in parts for record in reader.take(part)]
    assert found == messages(REAL)


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(REAL.splitlines())), max_size=20))
def test_any_bytes_give_records_or_nothing(lines: list[bytes]) -> None:
    messages(b"\n".join(lines) + b"\n")


@given(st.text(max_size=200))
def test_any_text_may_stand_in_a_call(text: str) -> None:
    for start in ("read(3<TCP:[1]>, ", "connect(3<TCP:[1]>, {sa_family=AF_INET, ", "socket(AF_INET, "):
        messages(f"{HEAD}{start}{text}) = 3 <0.000000001>\n".encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "line",
    [
        'read(3</etc/passwd>, "3<TCP:[127.0.0.1:1]>", 20) = 20 <0.000000001>',
        "close(3<UNIX-STREAM:[94752->94753]>) = 0 <0.000000001>",
        "socket(AF_UNIX, SOCK_STREAM, 0) = 3<UNIX-STREAM:[1]> <0.000000001>",
        "openat(AT_FDCWD, \"x\", O_RDONLY) = 3</x> <0.000000001>",
        "poll([{fd=3<UNIX-STREAM:[94752->94753]>, events=POLLIN}], 1, 0) = 0 (Timeout) <0.000000001>",
    ],
)
def test_what_is_on_no_socket_of_the_network_is_left_out(line: str) -> None:
    assert messages(f"{HEAD}{line}\n".encode()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("accept4(3<TCPv6:[[::]:80]>, {sa_family=AF_INET6, sin6_port=htons(5), sin6_flowinfo=htonl(0), "
         'inet_pton(AF_INET6, "::ffff:127.0.0.1", &sin6_addr), sin6_scope_id=0}, [28], SOCK_NONBLOCK) = '
         "4<TCPv6:[[::ffff:127.0.0.1]:80->[::ffff:127.0.0.1]:5]> <0.000000001>",
         "accept4(3, SOCK_NONBLOCK) = 4  from 127.0.0.1:5"),
        ("poll([{fd=5<TCP:[1]>, events=POLLOUT}, {fd=3<UNIX-STREAM:[1->2]>, events=POLLIN}], 2, 162) = "
         "1 ([{fd=5, revents=POLLOUT|POLLERR|POLLHUP}]) <0.000000001>",
         "poll([{fd=5, events=POLLOUT}, {fd=3, events=POLLIN}], 2, 162) = 1"),
        ('read(4<TCP:[1]>, "a) = 3, \\"x\\33[2J"..., 8192) = 40 <0.000000001>',
         'read(4, 8192) = 40  "a) = 3, \\"x␛[2J"…'),
        ("connect(5<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16)"
         " = -1 EINPROGRESS (Operation now in progress) <0.000000001>",
         "connect(5, 127.0.0.1:80) = -1 EINPROGRESS"),
    ],
)  # fmt: skip
def test_calls_are_written_as_our_journal_writes_them(line: str, message: str) -> None:
    assert messages(f"{HEAD}{line}\n".encode()) == [message]


EPOLL = """epoll_ctl(3<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 6<TCP:[127.0.0.1:8000]>, {events=EPOLLIN, \
data={u32=6, u64=139955804307462}}) = 0 <0.000013951>
epoll_ctl(3<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 7<TCP:[127.0.0.1:8000->127.0.0.1:4242]>, \
{events=EPOLLIN|EPOLLRDHUP, data=0x7f11}) = 0 <0.000013951>
epoll_wait(3<anon_inode:[eventpoll]>, [], 2, 0) = 0 <0.000008123>
epoll_wait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data={u32=6, u64=139955804307462}}], 3, -1) = 1 <0.5>
epoll_wait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data={u32=6, u64=139955804307462}}], 3, -1) \
= 1 <0.500000000>
epoll_pwait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data={u32=6, u64=139955804307462}}, \
{events=EPOLLIN|EPOLLRDHUP, data=0x7f11}], 512, 1000, NULL, 8) = 2 <0.000010000>
epoll_wait(9<anon_inode:[eventpoll]>, [{events=EPOLLIN, data=0x7f11}], 3, -1) = 1 <0.000010000>
select(8, [7<TCP:[127.0.0.1:8000->127.0.0.1:4242]>], NULL, NULL, {tv_sec=5, tv_usec=0}) = 1 \
(in [7<TCP:[127.0.0.1:8000->127.0.0.1:4242]>], left {tv_sec=4, tv_usec=9}) <0.000010000>
"""


def test_waits_for_several_descriptors_stand_on_the_socket_that_is_ready() -> None:
    lines = "".join(f"7<srv> 1700000000.000000001 {line}\n" for line in EPOLL.splitlines())
    found = list(StraceReader().take(lines.encode()))
    assert [one.message for one in found] == [
        "epoll_wait(3, -1) = 1  6 IN", "epoll_pwait(3, 1000) = 2  6 IN, 7 IN|RDHUP", "select(8, [7]) = 1"]
    assert [(one.fd, one.local, one.peer) for one in found] == [
        (6, "127.0.0.1:8000", None), (7, "127.0.0.1:8000", "127.0.0.1:4242"),
        (7, "127.0.0.1:8000", "127.0.0.1:4242")]
    assert found[0].end_ns is not None and found[0].end_ns - found[0].time_ns == 500_000_000


THREAD = "clone3({flags=CLONE_VM|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD, exit_signal=0, stack=0x7f}"
PROCESS = "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f"


@pytest.mark.parametrize(("start", "process"), [(THREAD, 7), (PROCESS, 8)], ids=["thread", "process"])
@pytest.mark.parametrize("early", [False, True])
def test_a_thread_that_is_gone_already_is_its_process(start: str, process: int, early: bool) -> None:
    """Nobody can be asked for it any more, and its first call may come before clone() returns."""
    name, head = start.partition("(")[0], "<srv> 1700000000.00000000"
    made = [f"7{head}1 {start} <unfinished ...>", f"7{head}2 <... {name} resumed>) = 8<srv> <0.000000001>"]
    calls = [f"8{head}3 read(4<TCP:[127.0.0.1:80->127.0.0.1:5]>, \"\", 9) = 0 <0.000000001>",
             f"8{head}4 +++ exited with 0 +++"]
    lines = [made[0], *calls, made[1]] if early else [*made, *calls]
    found = list(StraceReader(lambda thread: thread).take("\n".join([*lines, ""]).encode()))
    assert [(one.pid, one.tid, one.name) for one in found] == [(process, 8, "read")]
