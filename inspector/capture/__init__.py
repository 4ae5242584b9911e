"""Frames from the kernel to the trace file: scapy's sniffer over a packet socket of ours."""
