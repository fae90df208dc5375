"""Who listens to botocore's events: what others have registered has to be called, and the lane calls nobody."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable
from typing import Any

# Every event of a call: https://docs.aws.amazon.com/boto3/latest/guide/events.html, and botocore's client.py,
# endpoint.py and signers.py.
_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
    "after-call",
    "after-call-error",
)
_KNOWN = ("botocore", "boto3", "opstool")
_ANSWER_INSTEAD = ("botocore.stub", "botocore.monitoring")
"""Botocore's own, and yet what the user has asked for."""


def stranger(client: Any, operations: Iterable[str]) -> str | None:
    """Return the event that somebody else listens to; a word in its place where that cannot be seen; None if none."""
    trie = getattr(getattr(client.meta.events, "_emitter", None), "_handlers", None)
    search = getattr(trie, "prefix_search", None)
    if search is None:
        return "of a kind that is not known"
    for operation in operations:
        for event in _EVENTS:
            if not all(_is_known(handler) for handler in search(f"{event}.sqs.{operation}")):
                return f"on {event}"
    return None


def is_patched(client: Any) -> bool:
    """Tell whether a tracer or a mock stands in the place of botocore's own methods."""
    own = ((client, "_make_api_call"), (getattr(client, "_endpoint", None), "make_request"))
    for owner, name in own:
        method = getattr(type(owner), name, None)
        if not isinstance(method, types.FunctionType) or not _is_known(method):
            return True
    return False


def _is_known(handler: Any) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    module = str(getattr(handler, "__module__", None) or type(handler).__module__)
    if code is None and not isinstance(handler, types.BuiltinFunctionType | type):
        module = type(handler).__module__
    return module.split(".")[0] in _KNOWN and module not in _ANSWER_INSTEAD
