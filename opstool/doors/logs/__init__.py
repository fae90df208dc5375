"""The door to CloudWatch Logs: what a log group is, which of its events hold given strings, and what stands around."""
