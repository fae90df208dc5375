"""What a text says of an error, before it is known which line of which invocation it stood in."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_TYPE = 256
LONGEST_MESSAGE = 1_024
LONGEST_TRACEBACK = 8_000
UNKNOWN_TYPE = "Error"
"""The type of an error of which only a text is known; JavaScript's plainest error has the same name."""

_RUBY_CLASSES = ("Function<", "Init<", "Runtime<")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """An error in its own words. `place` is the innermost function of the consumer's own code, empty if not known.

    `unhandled`: it is the line by which a runtime reports what escaped from the handler, so it ended the invocation.
    """

    type: str
    message: str
    traceback: str | None = None
    place: str = ""
    unhandled: bool = False

    @property
    def is_vague(self) -> bool:
        """Tell whether there is a text only: neither a type of its own nor a traceback."""
        return self.type == UNKNOWN_TYPE and self.traceback is None


def said(
    error_type: str, message: str, *, traceback: str | None = None, place: str = "", unhandled: bool = False
) -> Said:
    """Return what was said, each part cut to what is worth keeping; a type of Ruby's runtime is taken out of its cover.

    https://docs.aws.amazon.com/lambda/latest/dg/ruby-exceptions.html shows `Function<TypeError>`.
    """
    name = error_type.strip()
    if name.startswith(_RUBY_CLASSES) and name.endswith(">"):
        name, unhandled = name[name.index("<") + 1 : -1], True
    return Said(
        type=name[:LONGEST_TYPE] or UNKNOWN_TYPE,
        message=message.strip()[:LONGEST_MESSAGE],
        traceback=traceback.strip("\n")[:LONGEST_TRACEBACK] if traceback and traceback.strip() else None,
        place=place[:LONGEST_TYPE],
        unhandled=unhandled,
    )
