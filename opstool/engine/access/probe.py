"""Try what only reads: an answer is the surest sign that an action is allowed, and a refusal that it is not.

Nothing is received, sent, deleted or changed. SQS is not documented to check the permission before a receipt handle,
so no call with a false one is made either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from opstool.doors.access import Access
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.iam.access import Finding, Permission, Verdict

_REFUSED = "AWS refused it"
_DENIED = "access_denied"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_REASON = re.compile(r" ((?:because|with an explicit deny) .*)")
_MENDABLE = re.compile(rf"because no (?:identity|resource)-based policy allows|{_REFUSED}")


def probe(access: Access, permissions: Iterable[Permission], urls: Mapping[str, str]) -> dict[Permission, Finding]:
    """Return what trying shows, for each permission that can be tried; `urls` are those of the queues by ARN."""
    found = {}
    for permission in permissions:
        finding = _try(access, permission, urls.get(permission.resource, ""))
        if finding:
            found[permission] = finding
    return found


def _try(access: Access, permission: Permission, url: str) -> Finding | None:
    """Return what an attempt shows; None where there is none to make, or its answer tells nothing."""
    try:
        tried = access.try_reading(permission.action, permission.resource, url=url)
    except AccessError as error:
        if error.code != _DENIED:  # no credentials: that is not about this action
            raise
        reason = _because(error)
        return Finding(verdict=Verdict.DENIED, reason=reason, is_final=not _MENDABLE.search(reason))
    except OpstoolError:
        return None  # what is not there may be refused before or after the permission is looked at
    return Finding(verdict=Verdict.ALLOWED, reason="tried") if tried else None


def _because(error: AccessError) -> str:
    """Return why AWS says that it refuses: newer messages name the kind of policy that is missing or denies."""
    found = _REASON.search(error.message)
    return found[1] if found else _REFUSED
