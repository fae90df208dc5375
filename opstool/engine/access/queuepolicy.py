"""Read a queue's policy for what it may do to a caller, without evaluating it: who is meant is left open."""

from __future__ import annotations

from fnmatch import fnmatchcase

from opstool.words.iam.policy import Statement, statements


def may_allow(policy: str, action: str) -> bool:
    """Tell whether a statement could allow an action to somebody."""
    return any(each.allows and _speaks_of(each, action) for each in statements(policy))


def may_deny(policy: str, action: str) -> bool:
    """Tell whether a statement could deny an action to somebody who comes over TLS, as we do."""
    return any(
        not each.allows and not each.denies_without_tls and _speaks_of(each, action) for each in statements(policy)
    )


def _speaks_of(statement: Statement, action: str) -> bool:
    """Tell whether a statement is about an action; one with NotAction has no actions, and may be about any."""
    return not statement.actions or any(fnmatchcase(action.lower(), pattern) for pattern in statement.actions)
