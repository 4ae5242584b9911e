"""Who captures for the agent: this process, one with a borrowed packet socket, or dumpcap; and who may."""
