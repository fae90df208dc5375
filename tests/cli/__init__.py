"""The command line, tested the way a person uses it: through `main`, over the in-memory SQS."""
