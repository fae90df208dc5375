"""Hostile content: what a stranger can put into a message, a log, a file name, an archive or an expression."""
