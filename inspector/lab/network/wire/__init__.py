"""The wire between two networks of the lab, in whose middle a person stands."""
