"""Sockets whose every system call passes the gate, is made, and stands in the journal as strace writes it."""
