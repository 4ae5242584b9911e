"""The class: what became of each learner's answers, and votes on what will happen.

    LessonScreen ── Notes ──> results.json of one learner ──> gather ──> tables: JSON, CSV, text
    VoteScreen ──> votes/SEAT.json ──> TeachScreen, its Poll ──> votes/ballot.json ──> VoteScreen

All of it are small files in a folder of one user; README.md tells a teacher how it is used.
"""
