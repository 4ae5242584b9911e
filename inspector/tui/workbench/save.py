"""Saving: ask for a name, copy the trace on a thread, ask again before anything is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App

from inspector.trace.file.scratch import is_nameless
from inspector.tui import traces
from inspector.tui.paths import PathError, to_write
from inspector.tui.widgets.prompt import MenuItem, MenuScreen, PromptScreen
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def ask_for_name(app: App[Any], trace: Trace, saved: Callable[[Path], None]) -> None:
    """Ask where `trace` is to be kept; `saved` gets the file that was written."""
    name = "" if is_nameless(Path(trace.path)) else escaped(trace.name.rpartition("_")[2])
    suggested = f"{name.partition('.')[0] or 'trace'}{traces.SUFFIX}"

    def chosen(name: str | None) -> None:
        if name:
            _write(app, trace, name, saved, overwrite=False)

    app.push_screen(PromptScreen(
        "Save the trace as", suggested, paths=True, check=_check,
        hint="a pcapng file: Wireshark and tshark open it too, system calls included"), chosen)


def _check(text: str) -> str | None:
    if not text:
        return "Type a name."
    try:
        to_write(text, traces.CAPTURE_SUFFIXES)
    except PathError as error:
        return str(error)
    return None


def _write(app: App[Any], trace: Trace, name: str, saved: Callable[[Path], None], *, overwrite: bool) -> None:
    def work() -> None:
        try:
            path = traces.save(trace.read_file(), name, overwrite=overwrite)
        except FileExistsError:
            app.call_from_thread(_ask_again)
        except (OSError, PathError) as error:
            sentence = str(error)
            if isinstance(error, OSError):
                sentence = f"{escaped(name, 60)} could not be written: {error.strerror or error}."
            app.call_from_thread(app.notify, sentence, severity="error")
        else:
            app.call_from_thread(saved, path)

    def _ask_again() -> None:
        items = [MenuItem("y", "Overwrite", "the file's contents are lost", "yes"),
                 MenuItem("n", "Another name", "", "no")]

        def decided(answer: str | None) -> None:
            if answer == "yes":
                _write(app, trace, name, saved, overwrite=True)
            elif answer == "no":
                ask_for_name(app, trace, saved)

        app.push_screen(MenuScreen(f"{escaped(name, 40)} exists already.", items), decided)

    app.run_worker(work, thread=True, group="save")
