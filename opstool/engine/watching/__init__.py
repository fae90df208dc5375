"""A run that is watched: a few go first, and what comes back can end it."""
