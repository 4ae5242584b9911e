"""The lessons that come with the program, and a stranger's by its folder.

A name is a folder of `content/`; whatever has a `/` in it, or is a folder with lesson.toml, is a path.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from inspector.lab.files.ownership import HANDED_ON, create_file, give_like, write_created
from inspector.lessons.format.loader import FACTS, load
from inspector.lessons.format.model import Lesson
from inspector.sessions.kinds import kind_of
from inspector.wire.text import escaped

CONTENT = Path(__file__).with_name("content")
EXAMPLE = Path(__file__).with_name("example")


class UnknownLessonError(Exception):
    """There is no lesson of this name; the text is one sentence."""

    def __init__(self, name: str) -> None:
        self.name = name
        near = get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        super().__init__(f"No lesson is named {escaped(name, 60)}: {hint}'inspector lesson list' shows them,"
                         f" and a folder is one where it holds a {FACTS}.")


def names() -> tuple[str, ...]:
    """The names of the lessons that come with the program."""
    return tuple(sorted(path.parent.name for path in CONTENT.glob(f"*/{FACTS}")))


def lessons() -> tuple[Lesson, ...]:
    """All of them, in the order of the map. LessonError where one is broken."""
    return tuple(sorted((load(CONTENT / name) for name in names()), key=lambda lesson: lesson.number))


def folder_of(name: str) -> Path:
    """The folder of a lesson; UnknownLessonError where there is no such lesson."""
    if "/" not in name and name in names():
        return CONTENT / name
    path = Path(name)
    try:
        if (path / FACTS).exists():
            return path
    except (OSError, ValueError):                # a name that is too long, or has a NUL
        pass
    raise UnknownLessonError(name)


def write_example(folder: str) -> list[Path]:
    """Write a small lesson into a new folder; its files. OSError where it is there, or cannot be made."""
    target = Path(folder)
    target.mkdir()
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    made, beside = os.open(target, flags), os.open(target.parent, flags)
    give_like(made, beside)                    # under sudo: the caller's
    os.close(made)
    os.close(beside)
    files: list[Path] = []
    try:
        for source in sorted(EXAMPLE.iterdir()):
            file = target / source.name
            write_created(file, create_file(file, mode=HANDED_ON), source.read_bytes())
            files.append(file)
    except OSError:                            # half a lesson is none
        for file in files:
            file.unlink(missing_ok=True)
        target.rmdir()
        raise
    return files


def find(name: str) -> Lesson:
    """The lesson of this name or in this folder; UnknownLessonError, LessonError."""
    return load(folder_of(name))


def lacking(lesson: Lesson) -> str:
    """Why the lesson cannot be played on this machine, one sentence; "" where it can."""
    specs = (lesson.spec, *(step.change for step in lesson.steps if step.change is not None))
    return next(filter(None, (kind_of(spec).lacking() for spec in specs)), "")
