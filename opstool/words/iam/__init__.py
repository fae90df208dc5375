"""What the commands need to be allowed, and the policies that allow it."""
