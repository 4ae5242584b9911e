"""Lessons: say what will happen, let it happen on real packets, be shown that it did.

    content/NAME/lesson.toml  facts ─┐ format/            ┌─> play/ moves for the agent: let, send, close
    content/NAME/en.md zh.md  words ─┴──────> Lesson ─────┤
    the learner's own trace ───────> asking/ expressions ─┴─> truth, and what becomes of an answer

The screen is in `tui/lessons/`, the command in `cli/commands/lesson.py`; README.md tells how to write one.
"""
