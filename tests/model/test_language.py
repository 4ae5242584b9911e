"""The catalogues hold exactly the texts of the code, whole and with the same places to fill."""

from __future__ import annotations

from string import Formatter

import pytest

from inspector.model.language import DOMAINS, LANGUAGES, language, marked, sentence, tr, use
from tests.tools.translations import mo_of, po_of, po_path, renewed

OTHERS = [one for one in LANGUAGES if one != "en"]
CATALOGUES = [(language, domain) for language in OTHERS for domain in DOMAINS]


def _fields(text: str) -> list[str]:
    return sorted(f"{name}:{form}:{how}" for _, name, form, how in Formatter().parse(text)
                  if name is not None)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_a_catalogue_is_as_the_tool_makes_it(language: str, domain: str) -> None:
    catalog = renewed(language, domain)
    path = po_path(language, domain)
    assert path.read_bytes() == po_of(catalog), "run: python -m tests.tools.translations"
    assert path.with_suffix(".mo").read_bytes() == mo_of(catalog)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_every_text_has_a_translation_that_fills_the_same_places(language: str, domain: str) -> None:
    wrong = {}
    for one in renewed(language, domain):
        if not one.id:
            continue
        text, translated = str(one.id), str(one.string)
        if not translated or ("{" in text and _fields(text) != _fields(translated)):
            wrong[text] = translated
    assert not wrong


def test_english_is_the_codes_own() -> None:
    assert language() == "en"
    assert tr("{size} wait", size=3) == "3 wait"
    assert tr("100 % {of}") == "100 % {of}"
    assert marked("as it is") == "as it is"


def test_a_sentence_is_english_and_keeps_what_it_is_made_of() -> None:
    inner = sentence("the client")
    made = sentence("{who} sent {count:,} bytes", who=inner, count=2000)
    assert made == "the client sent 2,000 bytes"
    assert tr(made) == made
    assert made.values["who"] is inner


def test_only_known_languages_can_be_used() -> None:
    with pytest.raises(ValueError, match="no such language"):
        use("xx")
