"""Processes in the lab: how they are started, watched and traced, and that none is left behind."""
