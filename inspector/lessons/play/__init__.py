"""A lesson as it is played: its steps, its sessions, and what the learner answers."""
