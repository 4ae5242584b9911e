"""Renews the catalogues of the screens' languages: code -> texts of `tr`, `marked`, `sentence` -> .po -> .mo.

So are, from where they stand: the nouns of `amount`, rules and sentences of findings, labels of the detail.

`python -m tests.tools.translations` keeps what is translated, adds what is new with an empty translation and
drops what the code says no more; then translate in inspector/model/locale/LANGUAGE/LC_MESSAGES/DOMAIN.po and
run it again. It prints what still has no translation, and ends with status 1 where there is any.
"""

from __future__ import annotations

import datetime
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from inspector.model.language import DOMAINS, LANGUAGES, LOCALE
from inspector.protocols import REGISTRY
from inspector.wire.dissection.names import labels

ROOT = Path(__file__).parents[2]
ROOMS = {                  # which rooms' texts stand in a catalogue
    "screens": ("tui", "lessons", "model", "sessions", "lab", "kernel", "cli"),
    "views": ("views",),
    "findings": ("protocols", "trace", "wire"),
}
ALWAYS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)      # the time in a header: it says nothing
# Functions whose argument (by its number) is a text; None: the first one.
Keywords = dict[str, tuple[int, ...] | None]
KEYWORDS: Keywords = {"tr": None, "marked": None, "sentence": None}
JUDGING: Keywords = {"Part": (2,), "Rule": (4,), "finding": (2,)}
DETAIL: Keywords = {"Field": (2,)}
COUNTED: Keywords = {"amount": (2,)}
ALSO = {"protocols": JUDGING, "trace": JUDGING, "wire": JUDGING | DETAIL, "views": JUDGING | DETAIL}


def po_path(language: str, domain: str) -> Path:
    """The catalogue that people edit."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def texts(domain: str) -> dict[str, list[str]]:
    """The texts of a domain, in the order of the code, with the files that say them."""
    found: dict[str, list[str]] = {}
    for room in ROOMS[domain]:
        for file, _, message in sorted(_extracted(room, KEYWORDS | ALSO.get(room, {}))):
            places = found.setdefault(message, [])
            place = f"inspector/{room}/{file}"
            if place not in places:
                places.append(place)
    for message in (*tables(), *amounts()) if domain == "findings" else ():
        found.setdefault(message, ["inspector"])
    return found


def amounts() -> Iterator[str]:
    """What is counted anywhere."""
    rooms = sorted({room for some in ROOMS.values() for room in some})
    nouns = {noun for room in rooms for _, _, noun in _extracted(room, COUNTED)}
    return (f"{{count:,}} {noun}s" for noun in sorted(nouns))


def tables() -> Iterator[str]:
    """Labels of the detail: of headers, and of what protocols say."""
    yield from labels()
    yield from (field.label for protocol in REGISTRY for field in protocol.fields if field.label)


def _extracted(room: str, keywords: Keywords) -> Iterator[tuple[str, int, str]]:
    """File, line and text of what stands in calls of these functions."""
    folder = ROOT / "inspector" / room
    for file, line, message, _, _ in extract_from_dir(str(folder), [("**.py", "python")], keywords=keywords):
        assert isinstance(message, str)
        yield file, line, message


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
