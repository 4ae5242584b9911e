"""Renews the catalogues of the screens' languages: code -> texts of `tr`, `marked`, `sentence` -> .po -> .mo.

`python -m tests.tools.translations` keeps what is translated, adds what is new with an empty translation and
drops what the code says no more; then translate in inspector/model/locale/LANGUAGE/LC_MESSAGES/DOMAIN.po and
run it again. It prints what still has no translation, and ends with status 1 where there is any.
"""

from __future__ import annotations

import datetime
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from inspector.model.language import DOMAINS, LANGUAGES, LOCALE

ROOT = Path(__file__).parents[2]
ROOMS = {                  # which rooms' texts stand in a catalogue
    "screens": ("tui", "lessons", "model", "sessions", "lab", "kernel", "cli"),
    "views": ("views",),
    "findings": ("protocols", "trace", "wire"),
}
ALWAYS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)      # the time in a header: it says nothing
KEYWORDS = {"tr": None, "marked": None, "sentence": None}


def po_path(language: str, domain: str) -> Path:
    """The catalogue that people edit."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def texts(domain: str) -> dict[str, list[str]]:
    """The texts of a domain, in the order of the code, with the files that say them."""
    found: dict[str, list[str]] = {}
    for room in ROOMS[domain]:
        folder = ROOT / "inspector" / room
        said = extract_from_dir(str(folder), [("**.py", "python")], keywords=KEYWORDS)
        for file, _, message, _, _ in sorted(said, key=lambda one: one[:2]):
            assert isinstance(message, str)
            places = found.setdefault(message, [])
            place = f"inspector/{room}/{file}"
            if place not in places:
                places.append(place)
    return found


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
