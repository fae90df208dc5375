"""Why messages died: from a dead-letter queue to the logs of its consumers, and from their lines to reasons."""
