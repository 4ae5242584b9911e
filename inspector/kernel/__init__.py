"""What the kernel says of its sockets: sock_diag(7), asked from time to time, as records for the trace."""
