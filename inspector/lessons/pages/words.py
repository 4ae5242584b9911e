"""The few words that the lesson's frame says itself, in both languages; all else is in the lesson's files."""

from __future__ import annotations

import locale
from typing import Literal

Word = Literal[
    "step", "predict", "order", "blank", "do", "change", "fix", "look", "explain", "tell", "answer",
    "go", "next", "right", "wrong", "partly", "you-said", "truth", "hint", "more-hints", "no-hint",
    "running", "nothing", "answer-first", "number", "number-wrong", "now", "before", "compare",
    "signs", "alike",
    "finished", "map", "map-hint", "rests", "minutes", "done", "asked", "think", "show-answer",
    "try-again", "undo", "client", "server", "data", "datagram", "packet", "locked", "last-step",
    "resumed", "starting", "first-step", "quiz", "score", "question", "first-hint", "order-how", "order-give",
    "order-so-far", "blank-how", "place", "quiz-how", "quiz-choice", "quiz-number", "left-out",
]

WORDS: dict[str, dict[Word, str]] = {
    "en": {
        "step": "Step",
        "predict": "Predict",
        "order": "Put in order",
        "blank": "Fill in",
        "do": "Let it happen",
        "change": "Change one knob",
        "fix": "Make it so",
        "look": "Look",
        "explain": "Explain",
        "tell": "Read",
        "answer": "Choose, then Enter",
        "go": "Enter lets it happen",
        "next": "Enter: next step",
        "right": "Right.",
        "wrong": "Not so.",
        "partly": "Not all of it.",
        "you-said": "You said",
        "truth": "It was",
        "hint": "Hint",
        "first-hint": "i: a hint",
        "more-hints": "i: another hint",
        "no-hint": "There is no further hint.",
        "running": "It happens …",
        "nothing": "nothing",
        "answer-first": "First say what will happen; then it does.",
        "number": "A number, then Enter",
        "number-wrong": "A number should stand here, such as 42 or 0x2a.",
        "now": "now",
        "before": "before",
        "compare": "Before and now: lines that differ are marked",
        "signs": "≠ in one of them alone   ≈ in both, other size or kind",
        "alike": "lines alike",
        "finished": "This lesson is done. Enter leads to the map.",
        "map": "Lessons",
        "map-hint": "Enter opens a lesson, R forgets how far it was done",
        "rests": "rests on",
        "minutes": "min",
        "done": "done",
        "asked": "right at the first try",
        "think": "Think first; Enter shows an answer.",
        "show-answer": "An answer",
        "try-again": "Try again; s shows the answer.",
        "order-how": "Press the numbers in their order (or ↑ ↓ and Enter for each); Enter gives all of it.",
        "order-give": "Enter gives this order; backspace takes the last one back.",
        "order-so-far": "{} of {} have their place: now the next one, by its number.",
        "blank-how": "A number, then Enter, for each in turn.",
        "place": "place {}",
        "quiz-how": "Answer with a number and Enter. s shows the answer, q leaves with the result so far.",
        "quiz-choice": "One of the numbers 1 to {}; s shows the answer, q leaves.",
        "quiz-number": "A number, such as 42 or 0x2a; s shows the answer, q leaves.",
        "left-out": "not answered",
        "undo": "backspace: take the last one back",
        "client": "client",
        "server": "server",
        "data": "data",
        "datagram": "a datagram",
        "packet": "packet",
        "locked": "This step is not done yet.",
        "last-step": "This is the last step.",
        "resumed": "You go on where you stopped; what came before is played again.",
        "starting": "The session starts …",
        "first-step": "This is the first step.",
        "quiz": "Quiz",
        "score": "right",
        "question": "Question",
    },
    "zh": {
        "step": "第",
        "predict": "预测",
        "order": "排序",
        "blank": "填空",
        "do": "让它发生",
        "change": "改变一个条件",
        "fix": "做到它",
        "look": "观察",
        "explain": "解释",
        "tell": "阅读",
        "answer": "选择后按 Enter",
        "go": "按 Enter 让它发生",
        "next": "Enter：下一步",
        "right": "对了。",
        "wrong": "不是这样。",
        "partly": "还没有全对。",
        "you-said": "你的答案",
        "truth": "实际是",
        "hint": "提示",
        "first-hint": "i：给一条提示",
        "more-hints": "i：再给一条提示",
        "no-hint": "没有更多提示了。",
        "running": "正在发生……",
        "nothing": "没有",
        "answer-first": "请先预测会发生什么，然后它才会发生。",
        "number": "输入一个数字后按 Enter",
        "number-wrong": "这里要填一个数字，例如 42 或 0x2a。",
        "now": "现在",
        "before": "之前",
        "compare": "之前与现在：不同的行有标记",
        "signs": "≠ 只有一次有   ≈ 两次都有，大小或种类不同",
        "alike": "行相同",
        "finished": "这一课完成了。按 Enter 回到课程表。",
        "map": "课程",
        "map-hint": "Enter 打开一课，R 清除它的进度",
        "rests": "基于",
        "minutes": "分钟",
        "done": "完成",
        "asked": "一次答对",
        "think": "先想一想；按 Enter 看答案。",
        "show-answer": "参考答案",
        "try-again": "再试一次；s 看答案。",
        "order-how": "按先后依次键入编号（或用 ↑ ↓ 和 Enter 逐个选定）；全部选定后按 Enter 交答案。",
        "order-give": "按 Enter 交这个顺序；退格键撤回最后一个。",
        "order-so-far": "{1} 项中已排好 {0} 项：接着键入下一项的编号。",
        "blank-how": "逐个输入数字，每个之后按 Enter。",
        "place": "第 {} 位",
        "quiz-how": "输入数字后按 Enter 作答。s 显示答案，q 带着目前的成绩离开。",
        "quiz-choice": "请输入 1 到 {} 中的一个数字；s 显示答案，q 离开。",
        "quiz-number": "请输入一个数字，例如 42 或 0x2a；s 显示答案，q 离开。",
        "left-out": "未回答",
        "undo": "退格键：撤回上一个",
        "client": "客户端",
        "server": "服务器",
        "data": "数据",
        "datagram": "一个数据报",
        "packet": "数据包",
        "locked": "这一步还没有完成。",
        "last-step": "这是最后一步。",
        "resumed": "从上次停下的地方继续；前面的步骤会重新播放。",
        "starting": "会话正在启动……",
        "first-step": "这是第一步。",
        "quiz": "测验",
        "score": "答对",
        "question": "问题",
    },
}


def usual_language() -> str:
    """The language of the locale, English where it is neither."""
    try:
        chosen = locale.setlocale(locale.LC_MESSAGES, "")
    except locale.Error:                 # one that this system does not have
        return "en"
    return "zh" if chosen.lower().startswith("zh") else "en"


def word(language: str, name: Word) -> str:
    """One of them."""
    return WORDS.get(language, WORDS["en"])[name]


def row_words(language: str, name: str, size: int = 0) -> str:
    """A row of the ladder by its name ("client SYN ACK") as an arrow, or the word for none.

    `size`: bytes that it carries, shown where there are any.
    """
    if name == "nothing":
        return word(language, "nothing")
    role, _, packet = name.partition(" ")
    shown = {"data": word(language, "data"), "datagram": word(language, "datagram")}.get(packet, packet)
    shown += f" {size}" if size else ""
    client, server = word(language, "client"), word(language, "server")
    return f"{client} ── {shown} ──▶ {server}" if role == "client" else f"{client} ◀── {shown} ── {server}"
