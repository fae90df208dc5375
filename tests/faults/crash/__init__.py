"""Processes that really end in the middle: killed, interrupted, out of disk, two at once."""
