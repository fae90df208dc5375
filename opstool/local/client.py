"""How a program reaches the embedded AWS: loopback, made-up credentials, and nothing of the user's AWS settings.

Every boto3 client of opstool/local comes from here. `AWS_PROFILE`, the config files, `AWS_ENDPOINT_URL` and the proxies
of the user's environment are for real accounts; none of them may bend a call that is meant for this machine.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "us-east-1"

_making_clients = threading.Lock()
"""A boto3 session makes one client at a time; the clients themselves may be shared."""


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """What a client of the embedded AWS is made of."""

    endpoint_url: str
    region: str
    access_key_id: str = "local"
    secret_access_key: str = "local"  # noqa: S105 made up: the emulator verifies no signature
    session_token: str = "local"  # noqa: S105 as above

    def session(self) -> boto3.session.Session:
        """Return a boto3 session that has these settings and reads none of the user's."""
        return isolated_session(self)

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to the loopback endpoint only."""
        from botocore.config import Config  # noqa: PLC0415 imported when used, as all of boto3 here

        # An empty mapping, not None: None means the proxies of the environment.
        config = Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=50)
        session: Any = self.session()  # the stubs know each service by its own literal
        with _making_clients:
            return session.client(service, endpoint_url=self.endpoint_url, config=config)


@lru_cache(maxsize=8)
def isolated_session(settings: ClientSettings) -> boto3.session.Session:
    """Return a boto3 session whose profile, config files and credentials are fixed here; one for equal settings.

    A second session would read botocore's service models a second time.
    """
    import boto3  # noqa: PLC0415 a quarter of a second that only a running emulator needs
    import botocore.session  # noqa: PLC0415

    nothing: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
        "ca_bundle": (None, None, None, None),
        "use_dualstack_endpoint": (None, None, False, None),
        "use_fips_endpoint": (None, None, False, None),
    }
    return boto3.session.Session(
        botocore_session=botocore.session.Session(session_vars=nothing),
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region_name=settings.region,
    )
