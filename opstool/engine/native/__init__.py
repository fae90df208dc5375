"""The native engine: SQS moves the messages itself, asked for by name; what may go wrong, the start, and the end."""
