"""The machine that opstool runs on, and who sits at it: what a journal says of where a run came from."""

from __future__ import annotations

import getpass
import os
import platform
from dataclasses import dataclass

_LONGEST = 256
"""Characters of a name: a host's has at most 253 (RFC 1035), a user's on Linux 32; both may be set to anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One process on one machine; `user` is None where the system knows no name."""

    host: str
    user: str | None
    pid: int


def this_machine() -> Machine:
    """Return where we are. The user is the one that the system knows, before the one that the environment names."""
    return Machine(host=platform.node()[:_LONGEST], user=_user(), pid=os.getpid())


def _user() -> str | None:
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(os.getuid()).pw_name[:_LONGEST]
    except (ImportError, KeyError):  # a user of a container may have a number and no name
        pass
    try:
        return getpass.getuser()[:_LONGEST]
    except (OSError, KeyError, ImportError):  # KeyError until Python 3.12
        return None
