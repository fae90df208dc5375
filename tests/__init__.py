"""The tests: a package, so that two test files may have the same name."""
