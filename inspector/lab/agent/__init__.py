"""The agent, `python -m inspector.lab.agent OPTIONS`: a process that captures and runs sessions."""
