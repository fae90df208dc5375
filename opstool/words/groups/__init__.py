"""Messages by what they have in common: the key, the group, and what to do about it."""
