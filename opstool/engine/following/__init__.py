"""What became of messages that were sent again: gone from their target, back in a dead-letter queue, or not known."""
