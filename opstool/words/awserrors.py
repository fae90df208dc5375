"""What an AWS error code means to us: one table from code to the error that says what the caller can do.

Pure, so that the boto3 door, the in-memory fake and any later transport raise the same errors for the same codes.
"""

from __future__ import annotations

from opstool.words.errors import AccessError, NotFoundError, OpstoolError, RefusedError, ServiceError, UsageError

# SQS answers with the legacy query code (`AWS.SimpleQueueService.NonExistentQueue`) beside the modelled name.
_NO_SUCH_QUEUE = {"QueueDoesNotExist", "NonExistentQueue"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "KmsAccessDenied"}
# S3 answers a HEAD without a word, and botocore takes the status for the code.
_OF_HEAD = {"403": "AccessDenied", "404": "NoSuchKey"}
_BAD_IDENTITY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "InvalidSecurity",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_THROTTLED = {
    "RequestThrottled",
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "KmsThrottled",
    "SlowDown",
}
OVER_LIMIT = "over_limit"
BATCH_TOO_LONG = "batch_too_long"
UNKNOWN_OPERATION = "unknown_operation"
INVALID_REQUEST = "invalid_request"
STALE_RECEIPT_HANDLE = "stale_receipt_handle"
BUSY = "busy"
"""Another change of the same thing is under way: it passes."""
LIMIT_EXCEEDED = "limit_exceeded"
"""Too many at once, of what the account may have a certain number."""
STALE_HANDLE_CODES = {"ReceiptHandleIsInvalid", "MessageNotInflight"}
HOPELESS_CODES = {"InvalidMessageContents", "InvalidParameterValue", *STALE_HANDLE_CODES}
"""What is wrong with a request or an entry, and stays wrong however often it is repeated."""

_BY_CODE = {
    "BatchRequestTooLong": BATCH_TOO_LONG,
    "OverLimit": OVER_LIMIT,
    "ResourceInUse": BUSY,
    "ResourceConflict": BUSY,
    "LimitExceeded": LIMIT_EXCEEDED,
    "InvalidMessageContents": INVALID_REQUEST,
    "InvalidParameterValue": INVALID_REQUEST,
    **dict.fromkeys(STALE_HANDLE_CODES, STALE_RECEIPT_HANDLE),
    **dict.fromkeys(("InvalidAction", "UnknownOperation", "UnsupportedOperation"), UNKNOWN_OPERATION),
}


def short_code(code: str) -> str:
    """Return the code without SQS's legacy prefix."""
    return code.removeprefix("AWS.SimpleQueueService.")


def error_for(operation: str, code: str, message: str, status: int = 400) -> OpstoolError:
    """Return the error for an answer that said no; `operation` is the API's own name, such as ReceiveMessage."""
    code = short_code(code)
    if operation.startswith("Head"):
        code = _OF_HEAD.get(code, code)
    if code in _NO_SUCH_QUEUE:
        return NotFoundError("the queue does not exist", code="queue_not_found")
    if code == "ResourceNotFoundException":
        return NotFoundError(f"`{operation}`: {message}")
    if code in _DENIED:
        return AccessError(
            f"`{operation}` was denied: {message}",
            code="access_denied",
            hint=_allow(operation, code),
        )
    if code in _EXPIRED:
        return AccessError("the credentials have expired", code="credentials_expired", hint="aws sso login")
    if code in _BAD_IDENTITY:
        return AccessError(
            f"AWS does not accept these credentials ({code})",
            code="credentials_invalid",
            hint="aws sts get-caller-identity",
        )
    return _of_an_object(operation, code) or _service_error(operation, code, message, status)


def _of_an_object(operation: str, code: str) -> OpstoolError | None:
    """Return the error for what S3 alone says, None for any other code."""
    if code in {"NoSuchBucket", "NoSuchKey"}:
        return NotFoundError(f"`{operation}`: it does not exist", code="object_not_found")
    if code == "PreconditionFailed":
        return RefusedError(f"`{operation}`: something else is there", code="object_exists")
    return None


def _allow(operation: str, code: str) -> str:
    """Return which actions to allow; those on the queue's key are not named after the operation."""
    action = operation.removesuffix("Batch")
    actions = {"KmsAccessDenied": "kms:Decrypt` and `kms:GenerateDataKey"}.get(code, action)
    return f"allow the action `{actions}` for this identity, or use another --profile"


def _service_error(operation: str, code: str, message: str, status: int) -> OpstoolError:
    """Return the error for the codes that say nothing about the caller's identity."""
    if code in _THROTTLED or status == 429:  # noqa: PLR2004 - HTTP's own number
        return ServiceError(f"`{operation}` was throttled", code="throttled", retryable=True)
    ours = _BY_CODE.get(code.removesuffix("Exception"))  # SQS says InvalidParameterValueException, as modelled
    if ours:
        return ServiceError(f"`{operation}`: {message}", code=ours)
    if status >= 500:  # noqa: PLR2004 - HTTP's own number
        return ServiceError(f"`{operation}` failed: {code}", code="aws_error", outcome_unknown=True, retryable=True)
    if code in {"InvalidAddress", "InvalidQueueUrl"}:
        return UsageError(f"`{operation}`: {message}", code="invalid_queue")
    return ServiceError(f"`{operation}` failed: {code}: {message}", code="aws_error")
