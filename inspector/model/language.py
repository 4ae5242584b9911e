"""The language of the screens: English stands in the code, other languages in gettext's catalogues.

`use("zh")` once, before the first screen. `tr("{size} wait", size=3)` is then the sentence in that language
where a catalogue has it, else in English. What is made before it is known where it will be read (a finding,
which JSON tells in English) is a `Sentence`: a str of English that `tr` can translate later, as it is and
among the `values` of another text. Texts in tables are `marked`, and go through `tr` where they are shown.
`python -m tests.tools.translations` renews it all.
"""

from __future__ import annotations

import locale
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gettext import NullTranslations

LANGUAGES: Final = ("en", "zh")                        # "en" is the code's own
DOMAINS: Final = ("screens", "views", "findings")      # a catalogue each; the first that has a text gives it
LOCALE: Final = Path(__file__).with_name("locale")

_PLACE = re.compile(r"\{([a-z_]+)[^{}]*\}")
# Places in which other words of ours stand.
_INSIDE = frozenset({"sentence", "why", "problem", "too_late", "loss", "what", "role", "other", "to",
                     "peer_ended"})
LEAST_WORDS = 8                                        # letters by which a text with places is known
SYSTEM: Final = (
    "Operation not permitted", "No such file or directory", "No such process", "Interrupted system call",
    "Input/output error", "Bad file descriptor", "Resource temporarily unavailable", "Cannot allocate memory",
    "Permission denied", "File exists", "Not a directory", "Is a directory", "Invalid argument",
    "Too many open files", "File too large", "No space left on device", "Read-only file system",
    "Broken pipe", "File name too long", "Function not implemented", "Too many levels of symbolic links",
    "Address already in use", "Cannot assign requested address", "Network is down", "Network is unreachable",
    "Connection reset by peer", "Connection timed out", "Connection refused", "No route to host",
    "Message too long", "Operation not supported", "Address family not supported by protocol",
    "Disk quota exceeded", "Exec format error", "Text file busy", "Device or resource busy", "timed out",
)
"""Why the system refuses, as libc words it (`strerror`): catalogues have these for `recognised`."""

_chosen = "en"
_asked = ""


class Sentence(str):
    """A sentence in English, with what it was made of: `tr` says it in the language of the screens."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]


def sentence(template: str, /, **values: object) -> Sentence:
    """`template` with its `{names}` filled in; of what stands in `values`, only a Sentence is translated."""
    return sentence_as(template.format(**values) if values else template, template, values)


def sentence_as(english: str, template: str, values: dict[str, object]) -> Sentence:
    """A Sentence that has a form of its own in English, such as a singular; others say `template`."""
    made = Sentence(english)
    made.template, made.values = template, values
    return made


def verbatim(text: str) -> Sentence:
    """Text that is the same in every language where others beside it are translated: a name off the wire."""
    return sentence_as(text, "{text}", {"text": text})


def marked(text: str) -> str:
    """The same text: that catalogues should hold it, since `tr` is to show it from a table."""
    return text


def tr(text: str, /, **values: object) -> str:
    """`text` in the language of the screens, its `{names}` filled in where `values` are given."""
    if _chosen == "en":
        return text.format(**values) if values else text
    if isinstance(text, Sentence):
        values = text.values
        text = text.template
    text = _look_up(_chosen, text)
    if not values:
        return text
    return text.format(**{key: tr(one) if isinstance(one, Sentence) else one for key, one in values.items()})


def translated(text: str) -> str:
    """A Sentence in the language of the screens; other text, such as bytes off the wire, as it is."""
    return tr(text) if isinstance(text, Sentence) else text


_ENDED = marked("{sentence}.")     # where the full stop is set behind what is a text by itself


def spoken(text: str) -> str:
    """The same text: a sentence that is made here, in English, and `recognised` where it is shown."""
    return text


def recognised(text: str) -> str:
    """A sentence that was made in English where no language is chosen (the agent's, in a trace, of an error).

    It is known by the text that it was made of: all of it, or a text with places, the one with most words.
    """
    if isinstance(text, Sentence) or _chosen == "en" or not text:
        return tr(text)
    found = _look_up(_chosen, text)
    if found != text:
        return found
    for template, pattern in _patterns(_chosen):
        if match := pattern.fullmatch(text):
            values = {name: recognised(value) if name in _INSIDE else value
                      for name, value in match.groupdict().items()}
            return _filled(_look_up(_chosen, template), values)
    beginning = text.removesuffix(".")
    if beginning != text and (found := recognised(beginning)) != beginning:
        return tr(_ENDED, sentence=found)
    return text


def _filled(text: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)


def use(language: str) -> None:
    """The language that `tr` speaks from now on: one of `LANGUAGES`."""
    global _chosen
    if language not in LANGUAGES:
        raise ValueError(f"no such language: {language}")
    _chosen = language


def ask_for(language: str) -> None:
    """The same, as a person asked for it: no setting and no locale changes it. "": nobody does."""
    global _asked
    use(language or "en")
    _asked = language


def asked_for() -> str:
    """The language that was asked for, "" where none was."""
    return _asked


def language() -> str:
    """The language that `tr` speaks."""
    return _chosen


def usual_language() -> str:
    """The language of the locale, English where it is neither."""
    try:
        chosen = locale.setlocale(locale.LC_MESSAGES, "")
    except locale.Error:                 # one that this system does not have
        return "en"
    return "zh" if chosen.lower().startswith("zh") else "en"


@cache
def _catalogues(language: str) -> tuple[NullTranslations, ...]:
    from gettext import translation  # here: in English nobody waits for it

    return tuple(translation(domain, LOCALE, [language], fallback=True) for domain in DOMAINS)


@cache
def _patterns(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The texts with places of a language's catalogues, those with most words first."""
    texts = {text for one in _catalogues(language) for text in getattr(one, "_catalog", {})
             if isinstance(text, str) and _PLACE.search(text)}
    found = [(len(_PLACE.sub("", text)), text) for text in texts]
    found = [one for one in found if one[0] >= LEAST_WORDS]
    return tuple((text, _pattern(text)) for _, text in sorted(found, key=_rank, reverse=True))


def _rank(found: tuple[int, str]) -> tuple[bool, int, str]:
    """Sentences with their end first, then what is a part of one."""
    words, text = found
    return not text.endswith("}"), words, text


def _pattern(text: str) -> re.Pattern[str]:
    parts, known, at = [], set(), 0
    for place in _PLACE.finditer(text):
        parts.append(re.escape(text[at : place.start()]))
        parts.append(f"(?P={place[1]})" if place[1] in known else f"(?P<{place[1]}>.*?)")
        known.add(place[1])
        at = place.end()
    return re.compile("".join([*parts, re.escape(text[at:])]), re.DOTALL)


def _look_up(language: str, text: str) -> str:
    if not text:
        return text                      # gettext's header stands under it
    for catalogue in _catalogues(language):
        found = catalogue.gettext(text)
        if found != text:
            return found
    return text
