"""An X-Ray trace id as it stands in a header or a log line, and the console page that shows the trace."""

from __future__ import annotations

import re

_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
"""Version, epoch seconds, 96 random bits, in lower case as AWS's own SDKs make them:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
"""
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-\d{1,2}", re.ASCII)
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The console of each partition: https://docs.aws.amazon.com/xray/latest/devguide/xray-console-traces.html, and
https://docs.amazonaws.cn/en_us/xray/latest/devguide/xray-console-traces.html for China; GovCloud's as it is in use.
"""


def trace_id_in(text: str | None) -> str | None:
    """Return the trace id of a tracing header (`Root=1-...;Parent=...;Sampled=1`) or of a bare id, None without one.

    Only what has X-Ray's form is an id; everything else of a header is a stranger's text.
    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    for part in (text or "").split(";"):
        name, _, value = part.strip(" ").rpartition("=")
        if name in {"", "Root"} and _TRACE_ID.fullmatch(value):
            return value
    return None


def console_url(trace_id: str, *, arn: str) -> str | None:
    """Return the page of a trace in the CloudWatch console, of the region and partition that an ARN names.

    None when the id has not X-Ray's form, or the partition's console is not known: no other text gets into a link. The
    page's address after the `#` is the one the console itself shows; AWS documents the console's, not the page's.
    """
    _, partition, _, region, *_ = f"{arn}::::".split(":")
    host = _CONSOLES.get(partition)
    if host is None or not _REGION.fullmatch(region) or not _TRACE_ID.fullmatch(trace_id):
        return None
    return f"https://{host}/cloudwatch/home?region={region}#xray:traces/{trace_id}"
