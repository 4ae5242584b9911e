"""What was captured: a pcap or pcapng file, its columnar index, and what was decoded from both."""
