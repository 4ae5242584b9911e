"""One packet of a trace: its facts, the sentence about it, the names of its layers."""
