"""What the engine costs, measured beside others on a loopback endpoint: `make bench`."""
