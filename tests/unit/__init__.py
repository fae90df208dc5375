"""Each word and each door on its own."""
