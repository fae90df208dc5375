"""The face: parses the command line, asks, renders; every decision is the library's."""
