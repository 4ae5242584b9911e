"""Text broken at blanks, and between wide characters, with closing signs kept on their line."""

from __future__ import annotations

from inspector.views.line.document import Document
from inspector.views.line.spans import cell_width, plain
from inspector.views.line.wrap import NOT_FIRST, NOT_LAST, folded, wrap

CHINESE = "服务器（在端口 8000 上）确认了客户端的序列号，并说出自己的：“我从 123456789 开始编号”。"


def test_words_are_kept_whole_and_what_is_too_long_is_cut() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a longlonglong b", 6) == ["a", "longl…", "b"]
    assert wrap("longlonglong", 6, whole=True) == ["longlo", "nglong"]


def test_chinese_fills_its_lines_and_no_line_begins_with_a_closing_sign() -> None:
    for width in range(12, 60):
        lines = wrap(CHINESE, width, whole=True)
        assert "".join(lines).replace(" ", "") == CHINESE.replace(" ", "")
        assert all(cell_width(line) <= width for line in lines)
        assert not any(line[0] in NOT_FIRST for line in lines[1:])
        assert not any(line[-1] in NOT_LAST for line in lines)
    assert len(wrap(CHINESE, 40)) == 3


def test_a_document_in_chinese_is_as_wide_as_asked() -> None:
    document = Document()
    document.heading("三次握手", "完成")
    document.prose(CHINESE * 3)
    document.fact("初始序列号", "4132", "以相对值显示时为 0")
    for width in (40, 61, 80):
        page = document.page(width)
        assert {cell_width(plain(line)) for line in page.lines} == {width}

def test_a_label_is_not_torn_from_what_it_says() -> None:
    text = "编号 1  协议 HTTP  状态 已关闭  开始 0.000000  字节 1.3k"
    assert folded(text, 26) == ["编号 1  协议 HTTP", "状态 已关闭  开始 0.000000", "字节 1.3k"]
    for width in range(8, 60):
        lines = folded(f"  {text}", width)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(cell_width(line) <= width for line in lines)
