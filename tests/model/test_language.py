"""The catalogues hold exactly the texts of the code, whole and with the same places to fill."""

from __future__ import annotations

import ast
import copy
import json
import pickle
from dataclasses import replace
from string import Formatter

import pytest
from babel.messages.catalog import Catalog

from inspector.model.language import DOMAINS, LANGUAGES, language, marked, recognised, sentence, tr, use
from inspector.model.packets import Row
from inspector.model.units import amount
from inspector.protocols import RULES
from inspector.protocols.http.findings import BOOK
from tests.tools.translations import ROOT, called, mo_of, nodes_of, po_of, po_path, renewed

OTHERS = [one for one in LANGUAGES if one != "en"]
CATALOGUES = [(language, domain) for language in OTHERS for domain in DOMAINS]


@pytest.fixture(scope="module")
def catalogues() -> dict[tuple[str, str], Catalog]:
    """Each as the tool makes it of the code, once: all of it is parsed for that."""
    return {pair: renewed(*pair) for pair in CATALOGUES}


def _fields(text: str) -> list[str]:
    return sorted(f"{name}:{form}:{how}" for _, name, form, how in Formatter().parse(text)
                  if name is not None)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_a_catalogue_is_as_the_tool_makes_it(
    language: str, domain: str, catalogues: dict[tuple[str, str], Catalog]
) -> None:
    catalog = catalogues[language, domain]
    path = po_path(language, domain)
    assert path.read_bytes() == po_of(catalog), "run: python -m tests.tools.translations"
    assert path.with_suffix(".mo").read_bytes() == mo_of(catalog)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_every_text_has_a_translation_that_fills_the_same_places(
    language: str, domain: str, catalogues: dict[tuple[str, str], Catalog]
) -> None:
    wrong = {}
    for one in catalogues[language, domain]:
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


def test_an_amount_is_a_sentence_with_a_singular_of_its_own() -> None:
    assert [amount(1, "byte"), amount(2000, "byte")] == ["1 byte", "2,000 bytes"]
    use("zh")
    try:
        assert [tr(amount(1, "byte")), tr(amount(2000, "byte"))] == ["1 字节", "2,000 字节"]
    finally:
        use("en")


def test_a_sentence_survives_where_findings_are_copied_and_sent() -> None:
    made = BOOK.finding("http.missing-host", "The request has no Host header.").at(3, [Row(1)])
    for one in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), replace(made, start=4)):
        assert one.text == "The request has no Host header. A request of HTTP/1.1 needs one Host header."
        assert json.dumps(one.text) == f'"{one.text}"'
        use("zh")
        try:
            assert tr(one.text) == "请求没有 Host 首部。HTTP/1.1 的请求必须有一个 Host 首部。"
        finally:
            use("en")


def test_every_rule_has_a_translation(catalogues: dict[tuple[str, str], Catalog]) -> None:
    catalogue = {str(one.id): one.string for one in catalogues["zh", "findings"]}
    assert not [rule.id for rule in RULES.values() if rule.instead and not catalogue.get(rule.instead)]


def test_no_text_is_glued_before_it_is_looked_up() -> None:
    lost = []
    for file in sorted((ROOT / "inspector").rglob("*.py")):
        for node in nodes_of(file):
            if not isinstance(node, ast.Call) or called(node) not in ("tr", "marked", "sentence"):
                continue
            if isinstance(node.func, ast.Name) and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
                lost.append(f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.args[0])}")
    assert not lost


@pytest.mark.parametrize(("made", "shown"), [
    ("No client is connected.", "没有客户端连接着。"),
    ("The client's socket is closed.", "客户端的套接字已关闭。"),
    ("The connection was refused: nothing listens on port 9000 of 127.0.0.1.",
     "连接被拒绝：没有程序在 port 9000 of 127.0.0.1 上监听。"),
    ("The server did not send all its requests within 10 seconds.", "10 秒内服务器没有发完所有请求。"),
    ("Talk to 127.0.0.1:8001: you are led through the lab to 127.0.0.1:8000.",
     "请连接 127.0.0.1:8001：你会经过实验室到达 127.0.0.1:8000。"),
    ("The packet socket was refused: EPERM. To mend it: sudo x",
     "数据包套接字被拒绝：EPERM。解决办法：sudo x"),
    ("Talk to 127.0.0.1:40419 (8001 is taken there): you are led through the lab to 127.0.0.1:8000.",
     "请连接 127.0.0.1:40419（那里的 8001 已被占用）：你会经过实验室到达 127.0.0.1:8000。"),
    ("'foo' is not one of http, redis.", "'foo' 不在其中：http, redis。"),
    ("There is no field or protocol frog; arp there is.", "没有 frog 这个字段或协议；有的是 arp。"),
    ("Permission denied", "没有权限"),
    ("what a program says, The client's", "what a program says, The client's"),
])
def test_what_was_made_in_english_elsewhere_is_known_again(made: str, shown: str) -> None:
    assert recognised(made) == made
    use("zh")
    assert recognised(made) == shown


def test_a_text_has_one_translation_whichever_catalogue_gives_it(
    catalogues: dict[tuple[str, str], Catalog]
) -> None:
    found: dict[str, set[str]] = {}
    for catalogue in catalogues.values():
        for one in catalogue:
            if one.id:
                found.setdefault(str(one.id), set()).add(str(one.string))
    assert not {text: templates for text, templates in found.items() if len(templates) > 1}


def test_a_text_behind_which_a_full_stop_was_set_is_recognised() -> None:
    use("zh")
    assert recognised("The client reset the connection.") == "客户端复位了连接。"
    assert recognised("Nothing of ours.") == "Nothing of ours."
