"""The text of a transport's end: made, read, and refused."""

from __future__ import annotations

import pytest

from inspector.model.endpoint import join_endpoint, split_endpoint
from inspector.model.numbers import ACK, AE, FIN, PSH, SYN, TCP_FLAGS, flag_names

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(("address", "port", "text"), [
    ("127.0.0.1", 8000, "127.0.0.1:8000"), ("::1", 8000, "[::1]:8000"), ("fe80::1%lo", 0, "[fe80::1%lo]:0"),
    ("localhost", 65535, "localhost:65535"),
])
def test_both_ways(address: str, port: int, text: str) -> None:
    assert join_endpoint(address, port) == text
    assert split_endpoint(text) == (address, port)


@pytest.mark.parametrize("text", ["", "8000", "::1:8000", "host:", "host:x", "host:65536", "[::1]", "host:٣"])
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(ValueError):
        split_endpoint(text)


def test_flags_by_their_names() -> None:
    assert flag_names(SYN | ACK) == ["SYN", "ACK"] and flag_names(0) == []
    assert flag_names(FIN | PSH | ACK | AE) == ["FIN", "PSH", "ACK", "AE"]
    assert sum(flag.bit for flag in TCP_FLAGS) == 0x1FF
