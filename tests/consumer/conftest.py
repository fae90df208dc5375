"""Load the consumer as Lambda does: flat modules, fresh for each test, with the test's own environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from consumer_under_test import CONSUMER, Consumer, RecordFactory, forget, make_record


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Consumer]:
    """Give the consumer as a cold start finds it, and leave nothing of it behind."""
    for name in ("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "RETRY_PACING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(CONSUMER))
    forget()
    yield Consumer(capsys)
    forget()


@pytest.fixture
def record() -> RecordFactory:
    """Give a maker of records in the shape that Lambda sends."""
    return make_record
