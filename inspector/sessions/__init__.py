"""Endpoints that live: TCP, UDP, HTTP and WebSocket over sockets whose every system call is journaled."""
