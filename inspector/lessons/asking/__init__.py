"""The closed language of checks: parsed, held to its bounds, and asked of what a trace tells."""
