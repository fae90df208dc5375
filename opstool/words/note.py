"""The note of a run: why somebody makes it, in their own words, for whoever reads the journal later."""

from __future__ import annotations

from opstool.words.errors import UsageError

MOST_CHARACTERS = 1_000
"""A ticket, a link and some sentences. Every `history` reads fifty of them; what is longer belongs into the ticket."""


def checked_note(note: str | None) -> str | None:
    """Return the note as the journal can hold it, None for a blank one; raise UsageError when it is too long.

    Of an argument that is not text (bytes of another encoding) the strange bytes are written as escapes.
    """
    if note is None or not note.strip():
        return None
    if len(note) > MOST_CHARACTERS:
        raise UsageError(
            f"the note has {len(note):,} characters, and {MOST_CHARACTERS:,} are the most",
            code="note_too_long",
            hint="--note 'ticket 4711' and the rest into the ticket",
        )
    return note.encode(errors="backslashreplace").decode()
