"""How Hypothesis searches: at random for a developer, the same examples every time where a build must not flicker."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a machine that is busy is no bug.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
