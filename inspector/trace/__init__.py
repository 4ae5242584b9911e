"""What was captured: a pcapng or pcap file, its columnar index, and what was decoded from both. One writer, many readers."""
