"""Pure: what is said about messages, queues, filters, plans and reports; no I/O."""
