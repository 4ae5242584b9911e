"""What a WebSocket connection knows between its frames: both sides, their messages, inflation."""
