"""What a command or a Python user calls: one module a verb."""
