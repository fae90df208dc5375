"""See why messages died in an Amazon SQS dead-letter queue, and move exactly those you mean."""

__version__ = "0.1.0"
