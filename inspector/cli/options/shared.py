"""Types and kinds of options that several commands share.

Text -> a checked port, file, size or program; `reading_options` adds those that say how a capture is to be
understood, `WithProgram` takes all behind `--` as the program.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from inspector.cli.errors import MISSING, UNREADABLE, USAGE, CommandError
from inspector.cli.exports import Export, export_of, exports
from inspector.model.language import LANGUAGES, ask_for, use
from inspector.wire.text import escaped


class Port(click.IntRange):
    """A port of TCP or UDP."""

    name = "port"

    def __init__(self) -> None:
        super().__init__(1, 65535)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error where it is none."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is no port (1 to 65535).", param, ctx)


PORT = Port()


class FileName(click.Path):
    """A path that is at least a name; what else is wrong with it is said where it is opened."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(readable=False, allow_dash=allow_dash)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path as it was given; a usage error for an empty one."""
        if not os.fspath(value):
            self.fail("An empty text names no file.", param, ctx)
        return super().convert(value, param, ctx)


class OutputName(FileName):
    """A file to be written. "-" is standard output, and never a file of that name."""

    def __init__(self, taken: str = "") -> None:
        """`taken`: the words for what stands on standard output anyway; "" where this may."""
        super().__init__(allow_dash=not taken)
        self._taken = taken

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path as it was given; a usage error for standard output where something else has that."""
        if self._taken and os.fspath(value) == "-":
            self.fail(f"'-' is standard output, which {self._taken}; name a file (./- for one of that name).",
                      param, ctx)
        return super().convert(value, param, ctx)


INPUT = FileName(allow_dash=True)
OUTPUT = OutputName()
OVERWRITE = click.option("--overwrite", is_flag=True, help="Write the file anew where it has contents.")


class What(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on; 8.1 is enough
    """A name in the table of exports, which reaches the function as its `Export`."""

    name = "export"

    def convert(
        self, value: str | Export, param: click.Parameter | None, ctx: click.Context | None
    ) -> Export:
        """The export of this name; a usage error that lists all names."""
        found = value if isinstance(value, Export) else export_of(value)
        if found is None:
            known = ", ".join(export.name for export in exports())
            self.fail(f"{value!r} is not one of {known}.", param, ctx)
        return found


WHAT = What()


class Size(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on; 8.1 is enough
    """A number of bytes: 500000, 200M, 4G."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error where it is none."""
        if isinstance(value, int):
            return value
        digits, unit = (value[:-1], value[-1].upper()) if value[-1:].isalpha() else (value, "")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 15 or unit not in _UNITS:
            self.fail(f"{value!r} is no number of bytes like 500000, 200M or 4G.", param, ctx)
        return int(digits) << _UNITS[unit]


_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def typed(text: str, what: str) -> str:
    """A text from the command line as UTF-8, whatever the locale takes it for. CommandError where it is none.

    `what`: the option, or what the text is, as the beginning of a sentence.
    """
    try:
        return os.fsencode(text).decode()
    except UnicodeDecodeError:
        raise CommandError(f"{what} is no text in UTF-8: {escaped(os.fsencode(text), 60)}", USAGE) from None


def _unpack(ctx: click.Context, param: click.Parameter, size: int | None) -> None:
    if size is not None:
        from inspector.trace.limits import choose  # here and below: help would wait for numpy

        choose(size)


UNPACK = click.option(
    "--unpack", type=Size(), metavar="SIZE", callback=_unpack, expose_value=False,
    help="Unpack compressed captures, and messages in them, up to SIZE (as 4G); else 32 MB, and 20 times what"
         " was read of it.",
)


def _lang(ctx: click.Context, param: click.Parameter, chosen: str | None) -> None:
    if chosen is not None:
        ask_for(chosen)


def _drawn(ctx: click.Context, param: click.Parameter, chosen: str | None) -> None:
    """As in the app: a picture in the terminal and one on the screen are read by the same person."""
    from inspector.tui.files.settings import kept_language  # here: `--help` needs no settings

    use(chosen or kept_language())


LANG = click.option(
    "--lang", type=click.Choice(LANGUAGES), callback=_drawn, expose_value=False,
    help="The language of what is drawn: en or zh; else the one chosen last in the app, else the locale's.",
)
SCREEN_LANG = click.option(
    "--lang", type=click.Choice(LANGUAGES), callback=_lang, expose_value=False,
    help="The language of the screens: en or zh; else the one chosen last in the app, else the locale's.",
)


def _decode_as(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> None:
    for text in texts:
        from inspector.trace.application import decode_as

        try:
            decode_as.choose(decode_as.parse(text))
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error


def _keylog(ctx: click.Context, param: click.Parameter, paths: tuple[str, ...]) -> None:
    for path in paths:
        from inspector.trace.file import keylog

        try:
            keylog.require(Path(path))
        except OSError as error:
            sentence = f"The secrets in {path} cannot be read: {error.strerror}."
            raise CommandError(sentence, UNREADABLE) from error
        keylog.choose(Path(path))
    if paths:
        from inspector import extras

        if not extras.has_ciphers():
            sentence = "What --keylog asks for needs the package cryptography, which is not installed."
            raise CommandError(sentence, MISSING, extras.installing("tls"))


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How what was captured is to be understood: secrets of TLS, protocols said by hand."""
    command = click.option(
        "--decode-as", multiple=True, metavar="RULE", callback=_decode_as, expose_value=False,
        help="Say what is spoken where the guess is wrong: tcp.port==8001,http or tcp.stream==3,none"
             " (repeatable; the last one that fits counts).",
    )(command)
    return click.option(
        "--keylog", multiple=True, metavar="FILE", callback=_keylog, expose_value=False,
        type=FileName(),
        help="Secrets of TLS as SSLKEYLOGFILE has them: what they open is shown (repeatable).",
    )(command)


class WithProgram(click.Command):
    """A command line with a program after `--`: its words reach the function as `program`, untouched.

    Signals that come from now on, before an option makes numpy start its threads, are for that program;
    they reach the function as `heard`: None where no program was named, or the app has the terminal.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        program: list[str] = []
        if "--" in args:
            cut = args.index("--")
            args, program = args[:cut], args[cut + 1 :]
        heard = None
        if program and "--join" not in args:
            from inspector.lab.programs.relayed import Heard  # help is to be instant

            heard = ctx.with_resource(closing(Heard()))
        rest = super().parse_args(ctx, args)
        ctx.params["program"] = tuple(program)
        ctx.params["heard"] = heard
        return rest
