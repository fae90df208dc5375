"""The two languages in which CloudWatch Logs is asked: Logs Insights queries, and filter patterns."""
