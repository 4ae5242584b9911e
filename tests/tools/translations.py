"""Renews the catalogues of the screens' languages: code -> texts -> .po -> .mo.

Texts are what `tr`, `marked` and `sentence` are called with, and what the code declares for a person: a
binding's description, a pane's title, a LEGEND (`DECLARED`, `ATTRIBUTES`), which need no mark. So are, from
where they stand, the nouns of `amount`, rules and sentences of findings, labels of the detail; and sentences
of endpoints, agent and errors (`MADE`), made in English and known again on the screen (`recognised`): of an
f-string the text with places is taken.

`python -m tests.tools.translations` keeps what is translated, adds what is new with an empty translation and
drops what the code says no more; then translate in inspector/model/locale/LANGUAGE/LC_MESSAGES/DOMAIN.po and
run it again. It prints what still has no translation, and ends with status 1 where there is any.
"""

from __future__ import annotations

import ast
import datetime
import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from inspector.model.language import DOMAINS, LANGUAGES, LEAST_WORDS, LOCALE, SYSTEM
from inspector.protocols import REGISTRY, icmp, socks
from inspector.protocols.dns.message import OPCODES, RESPONSE_CODES
from inspector.protocols.mqtt.packet import REASONS, REFUSALS
from inspector.protocols.postgresql.decoder import STATUS
from inspector.protocols.redis.scanner import TYPES
from inspector.wire.dissection.names import labels
from inspector.wire.dissection.parts import IP_OPTIONS
from inspector.wire.tcp.options import NAMES as OPTIONS

ROOT = Path(__file__).parents[2]
ROOMS = {                  # which rooms' texts stand in a catalogue
    "screens": ("tui", "lessons", "model", "sessions", "lab", "kernel", "cli"),
    "views": ("views",),
    "findings": ("protocols", "trace", "wire"),
}
ALWAYS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)      # the time in a header: it says nothing
Declared = dict[str, tuple[int | str, ...]]       # which arguments of a call, by place or name, are texts
DECLARED: Declared = {
    "tr": (0,), "marked": (0,), "sentence": (0,),
    "Binding": (2, "description", "tooltip"),
    "PaneSpec": (2, "short"), "Anywhere": (2,),
    "Kind": ("title", "about"),
    "Option": (1,), "Value": (1, 2), "Ending": (1, 2), "endings": (0,), "Form": (0, 1),
    # Doors: these translate what they are given.
    "notify": (0,), "hint": (0,), "PromptScreen": (0, "hint"), "MenuScreen": (0,), "MenuItem": (1, 2),
}
JUDGING: Declared = {"Part": (1,), "Rule": (3,), "finding": (1,), "Rest": (0,)}
DETAIL: Declared = {"Field": (1,)}
COUNTED: Declared = {"amount": (1,)}
MADE: Declared = {
    "spoken": (0,), "LabError": (0,), "NoSuchError": (0,), "FailedError": (0,), "LostError": (0,),
    "note": (0,), "_once": (0,), "_failed": (0,), "_report": (1,),
    "wait": (1,), "expect": (1,), "_expect": (1,), "_expect_bytes": (1,),
}
WRONG: Declared = {"FilterError": (0,), "wrong": (0,), "_error": (0,), "spoken": (0,)}
ALSO = {"sessions": MADE, "lab": MADE, "kernel": MADE,
        "protocols": JUDGING, "trace": JUDGING | WRONG, "wire": JUDGING | DETAIL, "views": JUDGING | DETAIL}
BETWEEN = (", ", "; ")          # of texts without letters those that another language has other signs for
ATTRIBUTES = frozenset({"LEGEND", "LEGEND_TITLE", "HINT"})        # of classes that are seen


def po_path(language: str, domain: str) -> Path:
    """The catalogue that people edit."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def texts(domain: str) -> dict[str, list[str]]:
    """The texts of a domain, in the order of the code, with the files that say them."""
    found: dict[str, list[str]] = {}
    for room in ROOMS[domain]:
        for place, text in extracted(room, DECLARED | ALSO.get(room, {})):
            places = found.setdefault(text, [])
            if place not in places:
                places.append(place)
    more = (*tables(), *amounts()) if domain == "findings" else SYSTEM if domain == "screens" else ()
    for text in more:
        found.setdefault(text, ["inspector"])
    return found


def amounts() -> Iterator[str]:
    """What is counted anywhere."""
    rooms = sorted({room for some in ROOMS.values() for room in some})
    nouns = {noun for room in rooms for _, noun in extracted(room, COUNTED)}
    return (f"{{count:,}} {noun}s" for noun in sorted(nouns))


def tables() -> Iterator[str]:
    """Labels of the detail: of headers, and of what protocols say; words of tables that a sentence says."""
    yield from labels()
    yield from (*OPTIONS.values(), *IP_OPTIONS.values())
    yield from (field.label for protocol in REGISTRY for field in protocol.fields if field.label)
    yield from (*icmp.WORDS, *OPCODES.values(), *RESPONSE_CODES.values(), *REFUSALS, *REASONS.values(),
                *socks.WORDS, *TYPES.values(), *STATUS.values())


def extracted(room: str, declared: Declared) -> Iterator[tuple[str, str]]:
    """File and text of what stands in calls of these functions, in the order of the code."""
    for file in sorted((ROOT / "inspector" / room).rglob("*.py")):
        nodes = [one for node in nodes_of(file) for one in sentences_in(node, declared)]
        for one in sorted(nodes, key=lambda one: (one.lineno, one.col_offset)):
            text = one.value if isinstance(one, ast.Constant) else with_places(one)
            if isinstance(text, str) and (any(map(str.isalpha, text)) or text in BETWEEN):
                yield file.relative_to(ROOT).as_posix(), text


@cache
def nodes_of(file: Path) -> list[ast.Call | ast.ClassDef]:
    """What of a file's code may hold texts; the code stands still while this runs."""
    return [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call | ast.ClassDef)]


def with_places(made: ast.JoinedStr) -> str:
    """The text of which an f-string makes sentences."""
    words = "".join(str(one.value) for one in made.values if isinstance(one, ast.Constant))
    return "" if len(words) < LEAST_WORDS else "".join(
        str(one.value) if isinstance(one, ast.Constant) else f"{{{_place(one)}}}" for one in made.values)


def _place(node: ast.AST) -> str:
    """The last name in an expression, for a translator to read."""
    names = [one.id if isinstance(one, ast.Name) else one.attr for one in ast.walk(node)
             if isinstance(one, ast.Name | ast.Attribute)]
    known = [name.strip("_").lower() for name in names if name not in ("escaped", "str", "self", "strerror")]
    return "why" if "error" in known else known[0] if known else "what"


def sentences_in(node: ast.AST, declared: Declared) -> Iterator[ast.Constant | ast.JoinedStr]:
    """What of a node of the code is a text, or one of several."""
    if isinstance(node, ast.Call) and (which := declared.get(called(node))):
        given = [*enumerate(node.args), *((one.arg, one.value) for one in node.keywords)]
        for name, argument in given:
            if name in which:
                yield from alternatives(argument, made=called(node) in MADE | WRONG)
    elif isinstance(node, ast.ClassDef) and declared is not COUNTED:
        for one in node.body:
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None:
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                if any(isinstance(name, ast.Name) and name.id in ATTRIBUTES for name in targets):
                    yield from alternatives(one.value)


def called(node: ast.Call) -> str:
    """The name of what is called, without the object that it belongs to."""
    function = node.func
    return function.id if isinstance(function, ast.Name) else (
        function.attr if isinstance(function, ast.Attribute) else "")


def alternatives(node: ast.expr, *, made: bool = False) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The literals of which an expression is one, or which it holds; f-strings where such are `made`."""
    if isinstance(node, ast.Constant) or (made and isinstance(node, ast.JoinedStr)):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from alternatives(node.body, made=made)
        yield from alternatives(node.orelse, made=made)
    elif isinstance(node, ast.BoolOp | ast.Tuple | ast.List):
        for one in node.values if isinstance(node, ast.BoolOp) else node.elts:
            yield from alternatives(one, made=made)


def renewed(language: str, domain: str) -> Catalog:
    """The catalogue with exactly the texts of the code, and what was translated of them."""
    path = po_path(language, domain)
    before = read_po(io.BytesIO(path.read_bytes())) if path.exists() else Catalog()
    catalog = Catalog(locale=language, domain=domain, fuzzy=False, charset="utf-8",
                      header_comment="# Translations of inspector's screens; the texts are in the code.")
    for message, places in texts(domain).items():
        old = before.get(message)
        catalog.add(message, old.string if old else "", locations=[(place, 0) for place in places])
    return catalog


def po_of(catalog: Catalog) -> bytes:
    """The catalogue's file, without times: it changes where a text does."""
    out = io.BytesIO()
    write_po(out, catalog, width=100, omit_header=True, include_lineno=False)
    header = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header + out.getvalue()


def mo_of(catalog: Catalog) -> bytes:
    """What gettext reads."""
    out = io.BytesIO()
    same = read_po(io.BytesIO(po_of(catalog)))
    same.creation_date = same.revision_date = ALWAYS
    write_mo(out, same)
    return out.getvalue()


def main() -> int:
    lacking = 0
    for language in LANGUAGES:
        for domain in DOMAINS:
            if language == "en":
                continue
            catalog = renewed(language, domain)
            path = po_path(language, domain)
            path.write_bytes(po_of(catalog))
            path.with_suffix(".mo").write_bytes(mo_of(catalog))
            empty = [one.id for one in catalog if one.id and not one.string]
            lacking += len(empty)
            print(f"{path.relative_to(ROOT)}: {len(catalog)} texts, {len(empty)} without a translation")
            for text in empty:
                print(f"    {text!r}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
