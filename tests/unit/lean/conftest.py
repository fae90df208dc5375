"""Sessions as a user makes them: without the hooks that moto and Powertools give to every session of a process."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.certificate import make
from tests.lanes import without_mocks


@pytest.fixture(autouse=True)
def _without_mocks() -> Iterator[None]:
    with without_mocks():
        yield


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for 127.0.0.1, and what serves it."""
    certificate, key = make(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
