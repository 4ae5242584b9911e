"""The user's own keys: `keymap.toml` in the configuration directory, `binding-id = "keys"` line by line.

Example: `workbench.save = "ctrl+w"`. The ids are those that the help screen lists. A file that
cannot be read is one sentence for the user, never the end of the app.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inspector.lab.files.folders import FolderError, settings_folder
from inspector.model.language import recognised, tr
from inspector.tui.files.settings import settings_text


class KeymapError(Exception):
    """The keymap cannot be used; the text is one sentence."""


def keymap_path() -> Path:
    """Where the keymap is looked for; FolderError where there is no home."""
    return settings_folder() / "keymap.toml"


def read_keymap(path: Path | None = None) -> dict[str, str]:
    """The keymap as binding id -> keys (comma-separated); empty where there is no file."""
    try:
        path = keymap_path() if path is None else path
    except FolderError:
        return {}
    try:
        text = settings_text(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KeymapError(tr("The keymap {path} cannot be read: {why}.",
                             path=path, why=recognised(error.strerror or ""))) from error
    except UnicodeDecodeError as error:
        raise KeymapError(tr("The keymap {path} cannot be read: {why}.", path=path, why=error)) from error
    import tomllib  # here: most have no keymap, and would wait for it at each start

    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise KeymapError(tr("The keymap {path} cannot be read: {why}.", path=path, why=error)) from error
    keys: dict[str, str] = {}
    _flatten(data, "", keys, path)
    return keys


def _flatten(data: Mapping[str, object], prefix: str, keys: dict[str, str], path: Path) -> None:
    for name, value in data.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", keys, path)
        elif isinstance(value, str) and value.strip():
            keys[prefix + name] = value
        else:
            raise KeymapError(tr("The keymap {path} gives no key for {name}, such as \"ctrl+w\".",
                                 path=path, name=prefix + name))
