"""The options of commands and what is made of them: limits, sessions, checks, the world outside."""
