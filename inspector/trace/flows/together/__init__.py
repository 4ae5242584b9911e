"""TCP conversations told by columns, many of them at once, where nothing is out of line."""
