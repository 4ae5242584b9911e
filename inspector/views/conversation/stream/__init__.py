"""Follow stream: what both ends of a TCP conversation sent, in turns, decoded or as it came."""
