"""Consent: asked on stderr, given at a terminal or by a flag, and known to be possible before anything is touched."""

from __future__ import annotations

import select
import sys
from contextlib import suppress
from dataclasses import dataclass

from opstool.cli.notices import Notices, is_terminal
from opstool.cli.screen import safe
from opstool.words.errors import RefusedError
from opstool.words.plan import Plan
from opstool.words.queue import Queue


@dataclass(frozen=True, kw_only=True)
class Yes:
    """Consent by `y` at the prompt, or by --yes."""

    notices: Notices
    given: bool

    @property
    def is_given(self) -> bool:
        """Tell whether a flag speaks for the person."""
        return self.given

    def check_possible(self) -> None:
        """Raise RefusedError when nobody can be asked and no flag answers."""
        if not self.given:
            _need_a_terminal("--yes goes on without asking, --dry-run only shows the plan")

    def ask(self, plan: Plan) -> None:
        """Return when the person agrees; raise RefusedError when not."""
        if self.given:
            return
        self.notices.prompt(f"{plan.verb} as planned? [y/N] ")
        if _answer(self.notices).lower() not in {"y", "yes"}:
            raise _declined()


@dataclass(frozen=True, kw_only=True)
class QueueName:
    """Consent by typing the queue's name, or by --confirm NAME; `queue` is the name that is right."""

    notices: Notices
    given: str | None

    @property
    def is_given(self) -> bool:
        """Tell whether a flag speaks for the person."""
        return self.given is not None

    def check_possible(self) -> None:
        """Raise RefusedError when nobody can be asked and no flag answers."""
        if self.given is None:
            _need_a_terminal("--confirm NAME, with the name of the dead-letter queue, goes on without asking")

    def check_name(self, queue: str) -> None:
        """Raise RefusedError when --confirm names another queue than the one that is meant."""
        if self.given is not None and self.given != queue:
            raise RefusedError(
                f'--confirm names "{safe(self.given)}", but the queue is "{queue}"',
                code="not_confirmed",
                hint=f"--confirm {queue}",
            )

    def ask(self, plan: Plan) -> None:
        """Return when the person has typed the name; raise RefusedError when not."""
        self.check_name(plan.queue.name)
        if self.given is not None:
            return
        self.notices.prompt(f"type the name of the queue ({plan.queue.name}) to {plan.verb}: ")
        if _answer(self.notices) != plan.queue.name:
            raise _declined()


@dataclass(frozen=True, kw_only=True)
class TargetAccount:
    """Consent to a redrive: as Yes, but into another account only by typing its number, or by --confirm ACCOUNT."""

    notices: Notices
    given: bool
    account: str | None

    @property
    def is_given(self) -> bool:
        """Tell whether a flag speaks for the person."""
        return self.given or self.account is not None

    def check_possible(self) -> None:
        """Raise RefusedError when nobody can be asked and no flag answers, as far as that is known of any target."""
        Yes(notices=self.notices, given=self.is_given).check_possible()

    def check_target(self, dlq: Queue, target: Queue) -> None:
        """Raise RefusedError when --confirm names another account, or nobody can be asked for that of the target."""
        if self.account is not None and self.account != target.account:
            raise RefusedError(
                f'--confirm names account "{safe(self.account)}", but "{target.name}" is in account {target.account}',
                code="not_confirmed",
                hint=f"--confirm {target.account}",
            )
        if self.account is None and target.account != dlq.account:
            _need_a_terminal(
                f"--confirm {target.account}, the account of the target; --yes is not enough to leave one's own"
            )

    def ask(self, plan: Plan) -> None:
        """Return when the person agrees, with the account's number where it is another one; raise RefusedError."""
        account = plan.options.get("to_account")
        if self.account is not None:
            return
        if account is None:
            Yes(notices=self.notices, given=self.given).ask(plan)
            return
        self.notices.prompt(f"type the account of the target ({account}) to {plan.verb}: ")
        if _answer(self.notices) != account:
            raise _declined()


Consent = Yes | QueueName | TargetAccount
_LOOKS_UP_S = 0.2


def ask_why(notices: Notices) -> str:
    """Return why somebody does this, in their words; empty when they do not say."""
    notices.prompt("why? ")
    return _answer(notices)


def can_ask() -> bool:
    """Tell whether a person can be asked."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _need_a_terminal(hint: str) -> None:
    if not can_ask():
        raise RefusedError("there is no terminal to confirm on", code="no_terminal", hint=hint)


def _answer(notices: Notices) -> str:
    _await_line()
    try:
        line = sys.stdin.readline()
    except (OSError, UnicodeDecodeError):
        line = ""
    if line.endswith("\n"):
        notices.answered()
    return line.strip()


def _await_line() -> None:
    """Wait until there is something to read, and look up now and then.

    A signal that arrives just before a read begins does not end it: Python would handle it once Enter is pressed.
    """
    with suppress(OSError, ValueError):  # a stream that is no file, and Windows, which waits for sockets only
        while not select.select([sys.stdin], [], [], _LOOKS_UP_S)[0]:
            pass


def _declined() -> RefusedError:
    return RefusedError("not confirmed, nothing was changed", code="declined")
