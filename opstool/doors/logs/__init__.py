"""The door to CloudWatch Logs."""
