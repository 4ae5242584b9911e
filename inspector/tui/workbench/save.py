"""Saving: ask what (where there are parts) and for a name, write it on a thread, ask before overwriting.

`Part` -> its pieces, the bytes of a pcapng file -> `traces.save`. All of a trace is a copy of its file, but
for the comments that were made here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import App

from inspector.model.language import recognised, tr
from inspector.trace.file.scratch import is_nameless
from inspector.tui.files import traces
from inspector.tui.files.paths import PathError, to_write
from inspector.tui.widgets.prompt import MenuItem, MenuScreen, PromptScreen
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class Part(NamedTuple):
    """What can be saved: the key that chooses it, its name, how much it is, a word for the file's name.

    `pieces` gives the file; it is called when it was chosen, its iterator runs on a thread.
    """

    key: str
    name: str
    about: str
    suffix: str
    pieces: Callable[[], Iterator[bytes]]


def whole(trace: Trace) -> Part:
    """All of a trace."""
    size = tr("{count:,} packets", count=trace.index.count)
    return Part("a", tr("All of it"), size, "", lambda: whole_file(trace))


def whole_file(trace: Trace) -> Iterator[bytes]:
    """The file of all of a trace, with the comments it has by now."""
    from inspector.trace.part import written  # here: most traces are saved as they are, or not at all

    return written(trace) if trace.comments.changed else trace.read_file()


def ask_what(app: App[Any], trace: Trace, parts: list[Part], saved: Callable[[Path, Part], None]) -> None:
    """Ask which of `parts` (the whole, and others) is to be saved, and where; `saved` gets what was."""
    if len(parts) == 1:
        ask_for_name(app, trace, lambda path: saved(path, parts[0]), parts[0])
        return

    def chosen(key: str | None) -> None:
        part = next((part for part in parts if part.key == key), None)
        if part is not None:
            ask_for_name(app, trace, lambda path: saved(path, part), part)

    items = [MenuItem(part.key, part.name, part.about, part.key) for part in parts]
    app.push_screen(MenuScreen("Save what?", items), chosen)


def ask_for_name(app: App[Any], trace: Trace, saved: Callable[[Path], None],
                 part: Part | None = None) -> None:
    """Ask where `part` of `trace` (all of it) is to be kept; `saved` gets the file that was written."""
    part = whole(trace) if part is None else part
    name = "" if is_nameless(Path(trace.path)) else escaped(trace.name.rpartition("_")[2])
    suggested = f"{name.partition('.')[0] or 'trace'}{part.suffix}{traces.SUFFIX}"

    def chosen(name: str | None) -> None:
        if name:
            _write(app, trace, part, name, saved, overwrite=False)

    question = tr("Save {part} as", part=part.name.lower()) if part.suffix else tr("Save the trace as")
    app.push_screen(PromptScreen(
        question, suggested, paths=is_named_so,
        check=_check, hint="a pcapng file: Wireshark and tshark open it too, system calls included"), chosen)


def is_named_so(path: Path) -> bool:
    """Whether a file has a name that a trace is saved under."""
    return path.name.lower().endswith(traces.CAPTURE_SUFFIXES)


def _check(text: str) -> str | None:
    if not text:
        return tr("Type a name.")
    try:
        to_write(text, traces.CAPTURE_SUFFIXES)
    except PathError as error:
        return str(error)
    return None


def _write(app: App[Any], trace: Trace, part: Part, name: str, saved: Callable[[Path], None], *,
           overwrite: bool) -> None:
    pieces = part.pieces()
    if overwrite and not trace.following:
        with contextlib.suppress(OSError, PathError):
            if to_write(name, traces.CAPTURE_SUFFIXES)[0].samefile(trace.path):
                trace.let_go()

    def work() -> None:
        try:
            path = traces.save(pieces, name, overwrite=overwrite)
        except FileExistsError as error:
            app.call_from_thread(_ask_again, str(error))
        except (OSError, PathError) as error:
            sentence = str(error)
            if isinstance(error, OSError):
                sentence = tr("{name} could not be written: {why}.", name=escaped(name, 60),
                              why=recognised(error.strerror or str(error)))
            app.call_from_thread(app.notify, sentence, severity="error")
        else:
            app.call_from_thread(saved, path)

    def _ask_again(sentence: str) -> None:
        # What loses nothing stands first: Enter may come twice.
        items = [MenuItem("n", "Another name", "that file stays as it is", "no"),
                 MenuItem("y", "Overwrite", "its contents are lost", "yes")]

        def decided(answer: str | None) -> None:
            if answer == "yes":
                _write(app, trace, part, name, saved, overwrite=True)
            elif answer == "no":
                ask_for_name(app, trace, saved, part)

        app.push_screen(MenuScreen(escaped(sentence, 120), items), decided)

    app.run_worker(work, thread=True, group="save")
