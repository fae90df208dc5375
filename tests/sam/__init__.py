"""The proof of the template with the real SAM CLI: not part of the test run, because it takes minutes."""
