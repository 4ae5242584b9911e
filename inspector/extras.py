"""What is installed by choice only, and the command that installs it for the Python that runs us."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata

_OURS = "terminal-network-inspector"


def has_ciphers() -> bool:
    """Whether the package is there that opens TLS by its secrets."""
    try:
        # here: it is not installed everywhere
        import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401
    except ImportError:
        return False
    return True


def installing(extra: str) -> str:
    """The command for one of our extras; it is right wherever the program was installed from."""
    wanted = [requirement.partition(";")[0].strip() for requirement in _requirements()
              if requirement.replace('"', "'").endswith(f"extra == '{extra}'")]
    packages = " ".join(map(shlex.quote, wanted)) or shlex.quote(f"{_OURS}[{extra}]")
    return f"{shlex.quote(sys.executable)} -m pip install {packages}"


def _requirements() -> list[str]:
    try:
        return metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:
        return []
