"""Whether a failure is of the kind that passes by itself: judged by its type first, then by its text.

The passing kind is what AWS's SDKs try again (throttling, timeouts, lost connections, 5xx):
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
The lasting kind is what the same message meets again: it is malformed, or the code has a bug.
"""

from __future__ import annotations

import re

from opstool.words.reason import Reason

_PASSING_TYPE = re.compile(
    r"transient|retryable|time-?d?-?out|throttl|toomanyrequests|ratelimit|requestlimit|slowdown|throughputexceeded"
    r"|connect|unavailable|brokenpipe|^econn|^etimedout|^eai_again|^enetunreach|internalserver|internalfailure"
    r"|badgateway|deadlock|predecessorfailed",
    re.IGNORECASE,
)
_LASTING_TYPE = re.compile(
    r"permanent|validat|schema|jsondecode|parse|parsing|syntax|marshal|deserial|decodeerror|malformed|invalid"
    r"|^(?:key|index|lookup|value|type|name|attribute|assertion|zerodivision|arithmetic|import|modulenotfound"
    r"|recursion|range|reference|notimplemented|unicode\w*)error$|^nullpointer|^nullreference|^illegalargument"
    r"|^classcast|accessdenied|notauthorized",
    re.IGNORECASE,
)
# botocore's ClientError is one type for every error of AWS; which of them it was stands in brackets in its text.
_AWS_CODE = re.compile(r"\(([A-Za-z.]{3,64})\) when calling")
_PASSING_TEXT = re.compile(
    r"task timed out|timed ?out|time-?out|throttl|too many requests|rate exceeded|connection (?:was )?(?:reset|refused"
    r"|aborted|closed|timed)|temporarily unavailable|service unavailable|bad gateway|deadlock"
    r"|\b(?:status|status code|http|code|error)[ :=(\[]{1,3}(?:429|5\d\d)\b"
    r"|\b(?:429|5\d\d) (?:too many|server error|internal server|service|gateway)",
    re.IGNORECASE,
)


def is_transient(reason: Reason) -> bool | None:
    """Tell whether a later try may succeed; None when nothing tells.

    A consumer that says "permanent" is believed. One that says the opposite is so only where type and text are
    silent: ours says it of every error that is not its PermanentError, bugs included.
    """
    if reason.permanent:
        return False
    name = reason.type.rsplit(".", 1)[-1]
    code = _AWS_CODE.search(reason.message)
    for type_name in (name, code.group(1) if code else ""):
        passing, lasting = _PASSING_TYPE.search(type_name), _LASTING_TYPE.search(type_name)
        if bool(passing) is not bool(lasting):
            return bool(passing)
    if _PASSING_TEXT.search(reason.message):
        return True
    return True if reason.permanent is False else None
