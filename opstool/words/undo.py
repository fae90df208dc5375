"""The command that takes a purge back."""

from __future__ import annotations

import shlex


def undo_command(program: str, archive: str) -> str:
    """Return what is typed to bring an archive's messages back; `program` ends where the command begins."""
    return f"{program} dlq import {shlex.quote(archive)}"
