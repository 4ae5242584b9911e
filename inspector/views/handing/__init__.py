"""What is handed on to other programs: commands for a shell, JSON lines."""
