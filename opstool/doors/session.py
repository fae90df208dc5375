"""The door to AWS: boto3 sessions and clients, and botocore's errors turned into ours.

Credentials, region, endpoint, partition, proxies and retry settings are botocore's business throughout. boto3 is
imported when the first client is asked for, because it takes longer than everything else at start-up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, ServiceError, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError

# Their hidden repetition could send twice, or hide messages from us for a whole visibility timeout.
_ONE_ATTEMPT = {"SendMessage", "SendMessageBatch", "ReceiveMessage"}
_CONNECTIONS = 128
"""Kept-alive connections of one client: at least one for each worker."""
_MAY_TAKE_LONG = {"sqs", "s3"}
"""What a long poll or an archive needs the whole of `timeout_s` for. The others answer within a second or two, each is
asked three times by botocore, and most commands go on without them: they get a third of it."""
_SPEAK_JSON = {"sqs", "lambda", "logs", "kms", "cloudwatch"}
_NOT_IMPLEMENTED = 501
_LONGEST_MESSAGE = 1_000
"""Characters of a service's message: what a server that is not AWS says may be a page."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which AWS to speak to; what is None is botocore's to find. `timeout_s` bounds one call to SQS or S3.

    `is_isolated`: nothing of the user's AWS settings is read, no profile, no file, no proxy; for an endpoint on this
    machine, which needs none of them and must get none of them.
    """

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    timeout_s: float = 30.0
    access_key_id: str | None = None
    secret_access_key: str | None = None
    is_isolated: bool = False


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom AWS takes us for."""

    account: str
    arn: str


class Session:
    """One identity in one region: hands out clients, made once each."""

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection or Connection()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @cached_property
    def _boto(self) -> Any:  # a client's type depends on a literal service name, and ours is a variable
        import boto3  # noqa: PLC0415 - a fifth of a second: only when a command needs it

        settings = self._connection
        with _our_errors("CreateSession"):
            return boto3.Session(
                profile_name=settings.profile,
                # The one setting that boto3 does not take from where the AWS CLI and every other SDK do.
                region_name=settings.region or os.environ.get("AWS_REGION"),
                aws_access_key_id=settings.access_key_id,
                aws_secret_access_key=settings.secret_access_key,
                botocore_session=_isolated() if settings.is_isolated else None,
            )

    @property
    def region(self) -> str | None:
        """Return the region in force, None when there is none anywhere."""
        region: str | None = self._boto.region_name
        return region

    def client(self, service: str, *, one_attempt: bool = False) -> Any:
        """Return the boto3 client of a service; `one_attempt` switches botocore's hidden retries off."""
        key = f"{service}/{one_attempt}"
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(service, one_attempt=one_attempt)
            return self._clients[key]

    def _new_client(self, service: str, *, one_attempt: bool) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - as above

        timeout = self._connection.timeout_s
        bound = timeout if service in _MAY_TAKE_LONG else timeout / 3
        config = Config(
            connect_timeout=min(bound, 10.0),
            read_timeout=bound,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra="opstool",
        )
        if self._connection.is_isolated:
            config = config.merge(Config(proxies={}))
        if one_attempt:
            config = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
        with _our_errors("CreateClient"):
            client = self._boto.client(service, endpoint_url=self._connection.endpoint_url, config=config)
        if service in _SPEAK_JSON:
            client.meta.events.register(f"after-call.{service}", _refuse_garbled)
        return client

    def sqs_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one SQS request: the boto3 side of the seam in sqs.py."""
        return self.ask("sqs", operation, request, one_attempt=operation in _ONE_ATTEMPT)

    def ask(
        self, service: str, operation: str, request: dict[str, Any], *, one_attempt: bool = False
    ) -> dict[str, Any]:
        """Carry out one request of any service; raise OpstoolError when it says no."""
        client = self.client(service, one_attempt=one_attempt)
        method = getattr(client, _method(operation))
        with _our_errors(operation), _understood(service, operation):
            answer: dict[str, Any] = method(**request)
            return answer

    def identity(self) -> Identity:
        """Return whom AWS takes us for (STS GetCallerIdentity, which needs no permission)."""
        answer = self.ask("sts", "GetCallerIdentity", {})
        return Identity(account=answer["Account"], arn=answer["Arn"])


def _isolated() -> Any:
    """Return a botocore session that reads none of the user's settings."""
    import botocore.session  # noqa: PLC0415 - as above

    unset = dict.fromkeys(("profile", "ca_bundle"), (None, None, None, None))
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return botocore.session.Session(session_vars={**unset, **files})


def _method(operation: str) -> str:
    from botocore import xform_name  # noqa: PLC0415 - boto3 is loaded by now

    name: str = xform_name(operation)
    return name


def _refuse_garbled(http_response: Any, model: Any, **_: Any) -> None:
    """Raise when an answer that says yes is no JSON object: botocore takes a cut or foreign one for an empty answer.

    Of another service that is what a server with SQS alone may say, and asking again does not help.

    An empty answer to a receive means an empty queue, and that is not what a proxy's page means. Some servers say it
    without a byte; then length and type have to say that nothing is missing, and that it is SQS who speaks.
    """
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415 - boto3 is loaded by now

    content, headers = http_response.content.strip(), http_response.headers
    whole = content.startswith(b"{") and content.endswith(b"}")
    is_sqs = model.service_model.service_name == "sqs"
    told_empty = is_sqs and headers.get("Content-Length") == "0" and "amz-json" in headers.get("Content-Type", "")
    nothing_to_say = not content and (model.output_shape is None or told_empty)
    if http_response.status_code == 200 and not whole and not nothing_to_say:  # noqa: PLR2004 - HTTP's own number
        raise HTTPClientError(error="the answer is not JSON") if is_sqs else _foreign(model.name)


@contextmanager
def _understood(service: str, operation: str) -> Iterator[None]:
    """Raise our error for an answer of another shape than AWS's: botocore's parsers do not look first."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        raise (_no_answer(operation, error) if service == "sqs" else _foreign(operation)) from error


def _foreign(operation: str) -> ServiceError:
    """Return the error for an answer that is none of the service's."""
    return ServiceError(f"`{operation}`: what answers is not AWS", code="foreign_answer", outcome_unknown=True)


def _one_line(message: str) -> str:
    """Return what a service says without the page that a server without this service may answer."""
    text = " ".join(message.split())
    return "what answers is not AWS" if text.startswith("<") else text[:_LONGEST_MESSAGE]


@contextmanager
def _our_errors(operation: str) -> Iterator[None]:
    """Turn every exception of botocore into the error that says what the caller can do."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - as above

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        # SQS says its legacy code in `Code`, and the modelled one, which our table knows, beside it.
        code = str(details.get("QueryErrorCode") or details.get("Code", "Unknown"))
        message = _one_line(str(details.get("Message", "")))
        if status == _NOT_IMPLEMENTED:  # a server that is not AWS, and no failure that passes
            code, message = "UnknownOperation", "this server does not have it"
        raise error_for(operation, code, message, status) from error
    except BotoCoreError as error:
        raise _client_side_error(operation, error) from error
    except ResponseParserError as error:  # a proxy's page where XML should be; no BotoCoreError
        raise _no_answer(operation, error) from error
    except ValueError as error:  # botocore's own way to refuse an endpoint URL or a queue URL
        raise UsageError(str(error), code="invalid_setting") from error


def _client_side_error(operation: str, error: BotoCoreError) -> Exception:
    """Return our error for what failed before, or instead of, an answer."""
    from botocore import exceptions as boto  # noqa: PLC0415 - as above

    refused: tuple[tuple[tuple[type[Exception], ...], Exception], ...] = (
        ((boto.NoRegionError,), AccessError("no region is set", code="no_region", hint="--region, or AWS_REGION")),
        (
            (boto.ProfileNotFound, boto.InvalidRegionError, boto.ParamValidationError),
            UsageError(str(error).split(", value:", 1)[0], code="invalid_setting"),  # the value may be a body
        ),
        (
            (boto.TokenRetrievalError, boto.SSOError),
            AccessError(f"the sign-in has expired: {error}", code="credentials_expired", hint="aws sso login"),
        ),
        (
            (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
            AccessError(f"no usable credentials: {error}", code="no_credentials", hint="set AWS_PROFILE, or --profile"),
        ),
        (
            (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError),
            ServiceError(f"`{operation}` could not connect: {error}", code="no_connection", retryable=True),
        ),
    )
    for kinds, ours in refused:
        if isinstance(error, kinds):
            return ours
    if not isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return ServiceError(f"`{operation}` could not be asked: {error}", code="client_error")
    # Whatever is left happened after the request may have left: a cut connection, a time-out, a garbled answer.
    return _no_answer(operation, error)


def _no_answer(operation: str, error: Exception) -> ServiceError:
    """Return the error for a request whose answer is not known; the cause's own text may quote the answer."""
    return ServiceError(
        f"`{operation}`: no answer ({type(error).__name__})", code="no_answer", outcome_unknown=True, retryable=True
    )
