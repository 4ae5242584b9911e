"""What the app reads and writes beside traces' contents: keymap, settings, where traces are kept."""
