"""The user's own folders: where traces are kept and settings are read (XDG base directories), and why not.

Nothing is taken for granted: HOME may be missing, relative, read-only or somebody else's, the user may be
unknown to the system, and no temporary folder may be writable.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from inspector.lab.files.ownership import make_folder

_NAME = "inspector"


class FolderError(Exception):
    """A folder cannot be had: one sentence, and the command that mends it."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.remedy = remedy


def home(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The user's home; None where neither HOME nor the system knows one."""
    named = environment.get("HOME", "")
    if not named.startswith("/"):
        try:
            named = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            return None
    return Path(named) if named.startswith("/") else None


def state_folder() -> Path:
    """Where state is kept: `$XDG_STATE_HOME/inspector` or `~/.local/state/inspector`; FolderError."""
    return _folder("XDG_STATE_HOME", ".local/state")


def settings_folder() -> Path:
    """Where settings are read: `$XDG_CONFIG_HOME/inspector` or `~/.config/inspector`; FolderError."""
    return _folder("XDG_CONFIG_HOME", ".config")


def traces_folder() -> Path:
    """The folder of kept traces, made where it is missing and writable; FolderError where it cannot be."""
    folder = state_folder() / "traces"
    try:
        make_folder(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise FolderError(
            f"Traces cannot be kept in {folder}: {error.strerror or error}.", _remedy(folder)
        ) from error
    return folder


def is_folder(path: Path) -> bool:
    """Whether there is a folder, as far as this user may know."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def temporary_folder() -> str | None:
    """The folder for temporary files; None where there is none that can be written."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return None


def _folder(variable: str, below_home: str) -> Path:
    named = os.environ.get(variable, "")
    if named.startswith("/"):                              # the specification: relative ones are ignored
        return Path(named, _NAME)
    user_home = home()
    if user_home is None:
        raise FolderError(
            f"There is no home folder: HOME is not set, and user {os.geteuid()} is unknown here.",
            "export HOME=/a/folder/of/yours",
        )
    return user_home / below_home / _NAME


def _remedy(folder: Path) -> str:
    """The command after which the folder can be written."""
    nearest = folder
    while not is_folder(nearest):
        nearest = nearest.parent
    try:
        owner = nearest.stat()
        foreign = owner.st_uid != os.geteuid() and not stat.S_IMODE(owner.st_mode) & stat.S_IWOTH
    except OSError:
        foreign = False
    own = home()
    if foreign and own is not None and own in (nearest, *nearest.parents) and nearest != own:
        return f"sudo chown -R {os.geteuid()} {nearest}"
    return "export XDG_STATE_HOME=/a/folder/of/yours"
