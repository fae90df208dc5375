"""Start the program, for the console script and for `python -m opstool`; it loads nothing before it can be stopped."""

import sys

_INTERRUPTED = 130


def run() -> None:
    """Run the command line of this process; a Ctrl-C while the program still loads ends it without a traceback."""
    try:
        from opstool.cli.main import run as run_command_line  # noqa: PLC0415 - loading takes long enough to interrupt

        run_command_line()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    run()
