"""The program: one command line in, one exit status out, and every error handled in this one place.

    run()                what the console script calls
    main(argv) -> int    the same without leaving the process: what tests and embedders call

A reader of stdout that goes away (`| head`) changes nothing: the command ends with the status it would have had. Only
`dlq export`, whose output is its result, ends with 1.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import typer

from opstool.cli.errors import error_document, error_text, exit_status, unexpected
from opstool.cli.frame import Connect, Frame
from opstool.cli.notices import Notices
from opstool.cli.output import OUTPUT_UNWRITABLE, let_go_of_stdout, write
from opstool.cli.screen import safe
from opstool.cli.signals import Interrupts
from opstool.cli.tree import program
from opstool.words.document import dump
from opstool.words.errors import InterruptedRunError, NotFoundError, OpstoolError, UsageError

_TRACEBACKS_AT = 2


def run() -> None:
    """Run the command line of this process and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal without Unicode
    status = main(sys.argv[1:])
    try:
        if sys.stdout is not None:  # as it is when the program was started with its stdout closed
            sys.stdout.flush()
    except OSError:
        let_go_of_stdout()
    sys.exit(status)


# Of a number beyond its bounds, and of any other value: as they stand in Typer's message, and as we say it.
_OF_VALIDATOR = {
    ": Input should be less than or equal to": ": it may be at most",
    ": Input should be greater than or equal to": ": it has to be at least",
    ": Input should": ": it should",
}


def main(argv: Sequence[str] | None = None, *, connect: Connect | None = None) -> int:
    """Carry out one command line and return its exit status; `connect`, if given, makes the toolkit it works with."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    with Interrupts() as interrupts:
        frame = Frame(connect=connect, interrupts=interrupts, main=lambda words: main(words, connect=connect))
        try:
            return _carry_out(arguments, frame)
        except KeyboardInterrupt:
            return _say(InterruptedRunError("interrupted"), arguments, frame)
        except OpstoolError as error:
            if frame.options.verbose >= _TRACEBACKS_AT:
                _trace(error)
            return _say(error, arguments, frame)
        except Exception as error:  # noqa: BLE001 - a bug: said in one line, without the bodies its words may hold
            if frame.options.verbose >= _TRACEBACKS_AT:
                _trace(error)
            return _say(unexpected(error), arguments, frame)


def _carry_out(arguments: list[str], frame: Frame) -> int:
    try:
        status = program().main(args=arguments, prog_name="opstool", standalone_mode=False, obj=frame)
    except SystemExit as left:  # shell completion, and help into a closed pipe
        return left.code if isinstance(left.code, int) else 1
    except typer.TyperException as error:
        raise _usage_error(error) from None
    except typer.Abort:
        raise InterruptedRunError("interrupted") from None
    return status if isinstance(status, int) else 0


def _usage_error(error: typer.TyperException) -> UsageError:
    """Return Typer's complaint in our words."""
    message = error.format_message().rstrip(".").replace("'", "`")
    for theirs, ours in _OF_VALIDATOR.items():
        message = message.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "opstool"
    return UsageError(message[:1].lower() + message[1:], hint=f"{path} --help")


def _say(error: OpstoolError, arguments: Sequence[str], frame: Frame) -> int:
    """Say the error: as the one document on stdout for a program, on stderr for a person."""
    error = _completed(error, frame)
    if _output_wanted(arguments) == "text" or error.code == OUTPUT_UNWRITABLE:
        Notices().line(error_text(error))
        return exit_status(error)
    try:
        write(dump(error_document(error)) + "\n")
    except OpstoolError as unwritable:
        Notices().line(error_text(unwritable))
    return exit_status(error)


def _completed(error: OpstoolError, frame: Frame) -> OpstoolError:
    """Return the error with what only the face knows: where a queue was looked for, the options of a hint."""
    if isinstance(error, NotFoundError) and error.code == "queue_not_found" and frame.place:
        error.message = f"{error.message} in {frame.place()}"
    if error.hint and error.hint.startswith("opstool ") and not isinstance(error, UsageError):
        error.hint = frame.program + error.hint.removeprefix("opstool")
    return error


def _output_wanted(arguments: Sequence[str]) -> str:
    """Return the form of the output as far as it can be told of a command line that may not be one."""
    wanted = os.environ.get("OPSTOOL_OUTPUT", "text")
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--output" and position + 1 < len(arguments):
            wanted = arguments[position + 1]
        elif argument.startswith("--output="):
            wanted = argument.removeprefix("--output=")
    return wanted if wanted in {"json", "jsonl"} else "text"


def _trace(error: BaseException) -> None:
    """Show where an error came from: files and lines, and of each exception its kind but not its words."""
    seen: BaseException | None = error
    while seen:
        Notices().line(f"{type(seen).__name__}:")
        for frame in traceback.extract_tb(seen.__traceback__):
            Notices().line(f"  {safe(frame.filename)}:{frame.lineno} {frame.name}")
        seen = seen.__cause__ or seen.__context__
