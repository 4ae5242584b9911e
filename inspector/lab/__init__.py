"""The private loopback in which sessions and programs run: the agent process and its start from outside."""
