"""One invocation of a function as Lambda's own lines tell of it: when it ran, and what ended it."""

from __future__ import annotations

from opstool.engine.reasons.stream import Fault
from opstool.words.lines.fingerprint import fingerprint
from opstool.words.lines.platformline import EXIT, KILLED, OUT_OF_MEMORY, UNKNOWN, PlatformKind, PlatformLine

LONGEST_INVOCATION_MS = 900_000
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: a function runs for 15 minutes at most."""

_BEGINS = frozenset({PlatformKind.START})
_ENDS = frozenset({PlatformKind.END, PlatformKind.REPORT, PlatformKind.DONE})
# Lambda's own kinds of failure; any other is the class of an error of the function.
_LAMBDAS_OWN = ("Runtime.", "Sandbox.", "Extension.")
# Whose words count when several lines tell of one end: the line that says it outright, then the summary.
_ORDER = (PlatformKind.TIMED_OUT, PlatformKind.INIT_FAILED, PlatformKind.DIED, PlatformKind.REPORT, PlatformKind.DONE)


class Invocation:
    """What is known of an invocation; `request_id` is None for lines of which only their place in a stream is known."""

    __slots__ = ("_failures", "_out_of_memory", "begin_ms", "end_ms", "request_id", "trace_id", "where")

    def __init__(self, where: tuple[str, str], request_id: str | None) -> None:
        self.where = where
        self.request_id = request_id
        self.begin_ms: int | None = None
        self.end_ms: int | None = None
        self.trace_id: str | None = None
        self._failures: dict[PlatformKind, tuple[int, str, str]] | None = None
        self._out_of_memory = False

    def take(self, line: PlatformLine, at_ms: int) -> None:
        """Take in one of Lambda's lines; order and repetition make no difference."""
        if line.kind in _BEGINS:
            self.begin_ms = at_ms if self.begin_ms is None else min(at_ms, self.begin_ms)
        elif line.duration_ms is not None:
            begin_ms = at_ms - int(line.duration_ms)
            self.begin_ms = begin_ms if self.begin_ms is None else min(begin_ms, self.begin_ms)
        if line.kind in _ENDS:
            self.end_ms = at_ms if self.end_ms is None else max(at_ms, self.end_ms)
        self.trace_id = line.trace_id or self.trace_id
        self._out_of_memory = self._out_of_memory or line.is_out_of_memory
        if line.error_type is not None:
            failure = (at_ms, line.error_type, line.error or "")
            self._failures = self._failures or {}
            self._failures[line.kind] = min(failure, self._failures.get(line.kind, failure))

    @property
    def failed(self) -> bool:
        """Tell whether Lambda says that it failed."""
        return self._failures is not None

    def failure(self) -> tuple[int, Fault] | None:
        """Return what ended it in Lambda's words, and when; a process that was killed with its memory full ran out."""
        for kind in _ORDER:
            if self._failures is not None and (found := self._failures.get(kind)) is not None:
                at_ms, error_type, error = found
                if error_type == EXIT and self._out_of_memory and KILLED in error:
                    error_type = OUT_OF_MEMORY
                return at_ms, platform_fault(error_type, error)
        return None

    @property
    def cause_is_the_functions(self) -> bool:
        """Tell whether Lambda names no cause of its own, so that the function's last error is the cause."""
        failure = self.failure()
        return failure is not None and (failure[1].type == UNKNOWN or not is_lambdas_own(failure[1].type))


def platform_fault(error_type: str, error: str) -> Fault:
    """Return a failure in Lambda's words."""
    return Fault(error_type, error, fingerprint(error_type, "", error), ends=True)


def is_lambdas_own(error_type: str) -> bool:
    """Tell whether a failure is of a kind of Lambda's, and no class of the function's."""
    return error_type.startswith(_LAMBDAS_OWN)
