"""What a trace holds: the index of its packets, records of the agent, counts, names, comments."""
