"""What a script asks of a trace, and the answer: verdicts, and their report as text, JSON lines or JUnit."""
