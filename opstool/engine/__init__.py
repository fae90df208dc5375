"""The walk of a message: receive, decide, put, journal, delete, release."""
