"""What an error means to whoever called the program: its exit status and its words. The one table of both."""

from __future__ import annotations

import re
from typing import Any

from opstool.cli.screen import safe, safe_lines
from opstool.words.errors import (
    AccessError,
    InterruptedRunError,
    NotFoundError,
    OpstoolError,
    RefusedError,
    ServiceError,
    StorageError,
    UsageError,
)
from opstool.words.report import Report, Status

DONE, FAILED, USAGE, PARTIAL, REFUSED, CAME_BACK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

EXIT_STATUSES: dict[type[OpstoolError], int] = {
    UsageError: USAGE,
    RefusedError: REFUSED,
    NotFoundError: FAILED,
    AccessError: FAILED,
    ServiceError: FAILED,
    StorageError: FAILED,
    InterruptedRunError: INTERRUPTED,
    OpstoolError: FAILED,
}
# What we write on further lines is indented; a name that ends a line would make a line that looks like ours.
_LINE_END_IN_A_NAME = re.compile(r"\n(?!  )")
# A message id that is not found is the one thing not found that a list goes on without.
_BY_CODE = {"message_not_found": PARTIAL}


def exit_status(error: OpstoolError) -> int:
    """Return the exit status of an error."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next(status for kind, status in EXIT_STATUSES.items() if isinstance(error, kind))


def report_status(report: Report, *, interrupted: bool) -> int:
    """Return the exit status of a report; where several hold: 130, then 1, 5, 3."""
    if interrupted or report.status is Status.INTERRUPTED:
        return INTERRUPTED
    if report.error_code:
        return FAILED
    if report.came_back:
        return CAME_BACK
    if report.stopped:
        return PARTIAL
    return {Status.REFUSED: REFUSED, Status.PARTIAL: PARTIAL}.get(report.status, DONE)


def error_document(error: OpstoolError) -> dict[str, Any]:
    """Return the JSON document of type `error`."""
    return {
        "version": 1,
        "type": "error",
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit_status": exit_status(error),
    }


def error_text(error: OpstoolError) -> str:
    """Return the error as a person reads it: what happened, then what can be done."""
    text = "error: " + safe_lines(_LINE_END_IN_A_NAME.sub(r"\\n", error.message))
    return f"{text}\n\nhint: {safe(error.hint)}" if error.hint else text


def unexpected(error: BaseException) -> OpstoolError:
    """Return our error for a bug: its kind and place, but not its words, which may quote a message body."""
    place, trace = "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if "opstool" in code.co_filename:
            name = code.co_filename.replace("\\", "/").rsplit("opstool/", 1)[-1]
            place = f" in opstool/{name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return OpstoolError(
        f"unexpected {type(error).__name__}{place}, please report",
        code="unexpected",
        hint="run the same command with -vv for the traceback; it holds no message bodies",
    )
