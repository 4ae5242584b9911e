"""The lab's own network, and the relay between it and the host's."""
