"""Fixes as commands that can be pasted: every word quoted, profile, region and endpoint filled in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from opstool.cli.globals import Globals
from opstool.cli.screen import safe
from opstool.words.check import Check, Command, Variable
from opstool.words.queue import Queue

_MADE_UP = ("AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_SESSION_TOKEN=local")
"""What the embedded AWS takes for credentials: the user's own must not be sent to it."""


class Paste:
    """Turns the words of a fix into a line for a POSIX shell, for one set of global options."""

    def __init__(self, options: Globals, queue: Queue, *, program: str, endpoint_url: str | None = None) -> None:
        self._opstool = program
        self._aws = ["aws"]
        if options.profile and not options.local:
            self._aws += ["--profile", options.profile]
        self._aws += ["--region", queue.region]
        if options.local:
            self._aws = [*_MADE_UP, *self._aws]
        endpoint = endpoint_url or options.endpoint_url
        if endpoint:
            self._aws += ["--endpoint-url", endpoint]

    def lines(self, check: Check) -> list[str]:
        """Return the commands that mend a check; none when there is only the template to change."""
        return [self.line(each) for each in check.fix.commands] if check.fix else []

    def line(self, command: Command) -> str:
        """Return one command. Words that a terminal would not show as they are make it a comment."""
        first, *rest = command
        program = self._opstool if first == "opstool" else shlex.join(self._aws)
        text = " ".join([program, *map(_quoted, rest)])
        return text if safe(text) == text else f"# cannot be pasted: {safe(text)}"


def _quoted(word: str | Variable) -> str:
    if isinstance(word, Variable):
        return f'"${{{word.name}:?{word.meaning}}}"'
    return shlex.quote(word)


def script(checks: Sequence[Check], paste: Paste) -> Iterator[str]:
    """Yield the lines of a script that mends what failed: each command once, and everything else as comments."""
    given: set[str] = set()
    for check in checks:
        yield f"# {check.code}: {safe(check.title)}"
        yield f"#   {safe(check.subject)}: {safe(check.found)}"
        yield f"#   wanted: {safe(check.wanted)}"
        if check.fix and check.fix.template:
            yield "#   in the template:"
            yield from (f"#     {safe(line)}" for line in check.fix.template)
        yield from (line for line in paste.lines(check) if line not in given)
        given.update(paste.lines(check))
        yield ""
