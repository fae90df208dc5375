"""Two hundred messages, three different failures among them: the log knows them all, and the commands say so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.functional.local_stack import LocalStack, deployed

ROOT = Path(__file__).parents[2]
RULE = '''
"""A business rule that fails in three ways, as the body asks."""

import json


class PermanentError(Exception):
    """Trying again cannot help."""


class TransientError(Exception):
    """A later try may succeed."""


def process(message):
    order = json.loads(message.body)
    if order["kind"] == "unknown customer":
        raise PermanentError(f"there is no customer {order['customer']}")
    if order["kind"] == "bank away":
        ask_the_bank(order)
    return order["total"]


def ask_the_bank(order):
    raise TransientError("the bank does not answer")
'''
WANTED = {"PermanentError": 30, "TransientError": 20, "KeyError": 10}
MESSAGES = 200


def _bodies() -> list[str]:
    """Return two hundred bodies, of which sixty fail, spread over them."""
    fine = MESSAGES - sum(WANTED.values())
    documents = [{"kind": "fine", "total": number} for number in range(fine)]
    documents += [{"kind": "unknown customer", "customer": f"c-{number}"} for number in range(WANTED["PermanentError"])]
    documents += [{"kind": "bank away", "total": number} for number in range(WANTED["TransientError"])]
    documents += [{"kind": "no total", "number": number} for number in range(WANTED["KeyError"])]
    return [json.dumps(documents[(number * 7) % MESSAGES]) for number in range(MESSAGES)]


def _outputs(outputs: Mapping[str, str]) -> tuple[str, str, str]:
    return outputs["ProcessingQueueURL"], outputs["ProcessingDLQURL"], outputs["ProcessorLogGroupName"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the template and the consumer, with another business rule."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "template.yaml", folder)
    shutil.copytree(ROOT / "consumer", folder / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "consumer" / "processing.py").write_text(RULE, encoding="utf-8")
    return folder


@pytest.fixture
def dead(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[LocalStack]:
    """Deploy it, send the two hundred, and wait for the sixty to die."""
    template, folder = project / "template.yaml", tmp_path / "state"
    with deployed(template, folder=folder, capture=capsys, outputs=_outputs, FunctionTimeout="10") as stack:
        stack.send(*_bodies())
        stack.wait_for(dead=sum(WANTED.values()))
        yield stack


def test_the_log_has_the_reason_of_each_dead_message(dead: LocalStack) -> None:
    """Exactly: each of them by its id, with each of its three attempts, and no line of any other message."""
    lines = dead.failure_lines()
    reasons = {line["message_id"]: line["error_type"] for line in lines}
    assert Counter(reasons.values()) == WANTED
    assert Counter(Counter(line["message_id"] for line in lines).values()) == {3: sum(WANTED.values())}
    assert len({(line["error_type"], line["fingerprint"]) for line in lines}) == 3
    for line in lines:
        innermost = "ask_the_bank" if line["error_type"] == "TransientError" else "process"
        assert f", in {innermost}\n" in line["traceback"]
        assert line["traceback"].endswith(f"\n{line['error_type']}")
        assert "c-" not in line["traceback"]


def test_the_commands_say_the_same(dead: LocalStack) -> None:
    """`dlq groups` names the three with exact counts; `dlq show` has the traceback of that very attempt."""
    document = dead.opstool("dlq", "groups")
    groups = document["groups"]
    assert document["type"] == "groups"
    assert {group["reason"]["type"]: group["count"] for group in groups} == WANTED
    assert {group["reason_state"] for group in groups} == {"found"}
    logged = {(line["message_id"], line["receive_count"]): line["traceback"] for line in dead.failure_lines()}
    for group in groups:
        shown = dead.opstool("dlq", "show", group["sample_id"])
        assert shown["type"] == "show"
        attempts = shown["attempts"]
        assert [attempt["receive_count"] for attempt in attempts] == [1, 2, 3]
        # Of the earlier attempts it may be left out: they are many.
        for attempt in attempts:
            of_this_one = logged[group["sample_id"], attempt["receive_count"]]
            assert attempt["traceback"] in ([of_this_one] if attempt is attempts[-1] else [of_this_one, None])
