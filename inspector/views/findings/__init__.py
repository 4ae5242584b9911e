"""Findings as a list that grows with its trace, and what could not be judged."""
