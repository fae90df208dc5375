"""The door to AWS: boto3 sessions and clients, and botocore's errors turned into ours (its answers: answers.py).

Credentials, region, endpoint, partition, proxies and retry settings are botocore's business throughout. boto3 is
imported when the first client is asked for, because it takes longer than everything else at start-up.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opstool.doors.answers import no_answer, pause_wanted_s, refuse_garbled, refused, understood
from opstool.doors.lanes import Botocore, Lanes
from opstool.doors.unsent import is_unsent, no_connection
from opstool.words.errors import AccessError, ServiceError, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError

# Their hidden repetition could send twice, or hide messages from us for a whole visibility timeout.
_ONE_ATTEMPT = {"SendMessage", "SendMessageBatch", "ReceiveMessage", "StartMessageMoveTask"}
_CONNECTIONS = 128
"""Kept-alive connections of one client: at least one for each worker."""
_MAY_TAKE_LONG = {"sqs", "s3"}
"""What a long poll or an archive needs the whole of `timeout_s` for. The others answer within a second or two, each is
asked three times by botocore, and most commands go on without them: they get a third of it."""
_SPEAK_JSON = {"sqs", "lambda", "logs", "kms", "cloudwatch"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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
    """One identity in one region: hands out clients, made once each.

    `boto3_session` is a session of your own, whose settings and hooks then hold; of `connection` it leaves endpoint and
    times. Raises UsageError for a value of OPSTOOL_SDK that means nothing.
    """

    def __init__(self, connection: Connection | None = None, *, boto3_session: Any = None) -> None:
        self._connection = connection or Connection()
        self._given = boto3_session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._lanes = Lanes(
            Botocore(
                call=self._boto_call,
                client=lambda: self.client("sqs"),
                credentials=self._credentials,
                errors=our_errors,
                timeout_s=self._connection.timeout_s,
            )
        )

    @cached_property
    def _boto(self) -> Any:  # a client's type depends on a literal service name, and ours is a variable
        if self._given is not None:
            return self._given
        import boto3  # noqa: PLC0415 - a fifth of a second: only when a command needs it

        settings = self._connection
        with our_errors("CreateSession"):
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
        if service == "s3" and self._is_here(service):
            # A bucket's own host name, bucket.localhost, is not known everywhere.
            config = config.merge(Config(s3={"addressing_style": "path"}))
        if one_attempt:
            config = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
        with our_errors("CreateClient"):
            client = self._boto.client(service, endpoint_url=self._connection.endpoint_url, config=config)
        if service in _SPEAK_JSON:
            client.meta.events.register(f"after-call.{service}", refuse_garbled)
        return client

    def _is_here(self, service: str) -> bool:
        """Tell whether the endpoint of a service is this machine, as far as the options and the environment say."""
        given = self._connection.endpoint_url or ""
        if not given and not self._connection.is_isolated:
            given = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL") or ""
        return urlsplit(given).hostname in _LOOPBACK

    @property
    def lane(self) -> str:
        """Return which way the hot operations of SQS take, empty before the first of them."""
        return self._lanes.words

    def sqs_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one SQS request: the seam in sqs.py, over the lane that lanes.py has chosen."""
        return self._lanes(operation, request)

    def _credentials(self) -> Any:
        return self._boto.get_credentials()

    def _boto_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return self.ask("sqs", operation, request, one_attempt=operation in _ONE_ATTEMPT)

    def ask(
        self, service: str, operation: str, request: dict[str, Any], *, one_attempt: bool = False
    ) -> dict[str, Any]:
        """Carry out one request of any service; raise OpstoolError when it says no."""
        client = self.client(service, one_attempt=one_attempt)
        method = getattr(client, _method(operation))
        with our_errors(operation), understood(service, operation):
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


@contextmanager
def our_errors(operation: str) -> Iterator[None]:
    """Turn every exception of botocore into the error that says what the caller can do."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - as above

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        told = error.response.get("ResponseMetadata", {})
        wait_s = pause_wanted_s(told.get("HTTPHeaders", {}), time.time())
        # SQS says its legacy code in `Code`, and the modelled one, which our table knows, beside it.
        code = str(details.get("QueryErrorCode") or details.get("Code", "Unknown"))
        raise refused(
            operation, code, str(details.get("Message", "")), told.get("HTTPStatusCode", 400), wait_s
        ) from error
    except BotoCoreError as error:
        raise _client_side_error(operation, error) from error
    except ResponseParserError as error:  # a proxy's page where XML should be; no BotoCoreError
        raise no_answer(operation, error) from error
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
    )
    for kinds, ours in refused:
        if isinstance(error, kinds):
            return ours
    if not isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return ServiceError(f"`{operation}` could not be asked: {error}", code="client_error")
    if isinstance(error, (boto.EndpointConnectionError, boto.ConnectTimeoutError)) or is_unsent(error):
        return no_connection(operation, error)
    # Whatever is left happened after the request may have left: a cut connection, a time-out, a garbled answer.
    return no_answer(operation, error)
