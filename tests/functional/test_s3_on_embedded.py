"""Archives in the embedded AWS's S3, by the command line: export, purge and import as a person types them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opstool.cli.main import main
from opstool.local import LocalAws, start

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
BODIES = [f'{{"n": {number}}}' for number in range(12)]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket, a queue with messages in it that is somebody's dead-letter queue, and the command line."""

    aws: LocalAws
    state_dir: Path
    capture: pytest.CaptureFixture[str]

    def opstool(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run one command; return its exit status and its document."""
        self.capture.readouterr()
        status = main(["--state-dir", str(self.state_dir), "--local", "--output", "json", *words])
        return status, json.loads(self.capture.readouterr().out)

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return self.aws.settings.client(service)

    def lines(self, key: str) -> list[dict[str, Any]]:
        """Return what is in an archive."""
        content = self.client("s3").get_object(Bucket="archives", Key=key)["Body"].read()
        return [json.loads(line) for line in gzip.decompress(content).splitlines()]


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Place]:
    """Start it, with twelve messages in `dead`."""
    with start(TEMPLATE, stack_name="archives", state_dir=tmp_path / "state") as aws:
        made = Place(aws=aws, state_dir=tmp_path / "state", capture=capsys)
        made.client("s3").create_bucket(Bucket="archives")
        sqs = made.client("sqs")
        url = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        sqs.create_queue(QueueName="alive", Attributes={"RedrivePolicy": policy})
        for body in BODIES:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        yield made


def test_an_export_a_purge_and_an_import_go_by_s3(place: Place) -> None:
    """Each message is in each archive, and in the end in the queue again; nothing is left on this disk."""
    status, report = place.opstool("dlq", "export", "dead", "--to-file", "s3://archives/exported.jsonl.gz")
    assert (status, report["archive"], report["succeeded"]) == (0, "s3://archives/exported.jsonl.gz", 12)
    assert Counter(line["body"] for line in place.lines("exported.jsonl.gz")) == Counter(BODIES)
    status, report = place.opstool("dlq", "purge", "dead", "--confirm", "dead", "--archive", "s3://archives/purged/")
    assert (status, report["succeeded"]) == (0, 12)
    key = f"purged/dead-{report['run_id']}.jsonl.gz"
    assert (report["archive"], report["target"]) == (f"s3://archives/{key}", f"s3://archives/{key}")
    assert Counter(line["body"] for line in place.lines(key)) == Counter(BODIES)
    assert list((place.state_dir / "archives").iterdir()) == []
    status, report = place.opstool("dlq", "import", f"s3://archives/{key}", "--yes")
    assert (status, report["succeeded"]) == (0, 12)
    status, report = place.opstool("dlq", "import", f"s3://archives/{key}", "--yes")
    assert (status, report["succeeded"], report["skipped"]) == (0, 0, 12)


def test_what_is_there_already_and_what_is_not_there_is_refused_in_words(place: Place) -> None:
    """Before anything is deleted."""
    place.client("s3").put_object(Bucket="archives", Key="taken", Body=b"precious")
    cases = {
        ("dlq", "purge", "dead", "--confirm", "dead", "--archive", "s3://archives/taken"): (4, "object_exists"),
        ("dlq", "purge", "dead", "--confirm", "dead", "--archive", "s3://nowhere/a"): (1, "bucket_not_found"),
        ("dlq", "export", "dead", "--to-file", "s3://archives/taken"): (4, "object_exists"),
        ("dlq", "import", "s3://archives/none", "--yes"): (1, "object_not_found"),
        ("dlq", "import", "s3://nowhere/none", "--yes"): (1, "bucket_not_found"),
    }
    for words, (status, code) in cases.items():
        ended, document = place.opstool(*words)
        assert (ended, document["code"]) == (status, code), words
    assert place.client("s3").get_object(Bucket="archives", Key="taken")["Body"].read() == b"precious"
    status, report = place.opstool("dlq", "list", "dead")
    assert (status, len(report["messages"])) == (0, 12)
    status, report = place.opstool("dlq", "export", "dead", "--to-file", "s3://archives/taken", "--overwrite")
    assert (status, report["archive"]) == (0, "s3://archives/taken")


def test_what_is_larger_than_one_part_is_uploaded_in_parts_and_comes_back(place: Place, tmp_path: Path) -> None:
    """Eleven megabytes, against parts of eight."""
    url = place.client("sqs").get_queue_url(QueueName="dead")["QueueUrl"]
    place.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "1048576"})
    foreign = tmp_path / "large.jsonl"
    arn = f"arn:aws:sqs:{place.aws.settings.region}:123456789012:dead"
    with foreign.open("w") as file:
        for number in range(12):
            file.write(json.dumps({"body": "abcdefghijkl"[number] * 900_000, "queue": arn}) + "\n")
    imported = place.opstool("dlq", "import", str(foreign), "--yes")
    assert imported[0] == 0, imported
    status, report = place.opstool("dlq", "purge", "dead", "--confirm", "dead", "--archive", "s3://archives/large")
    assert (status, report["succeeded"], report["failures"]) == (0, 24, [])
    found = place.client("s3").head_object(Bucket="archives", Key="large")
    assert found["ETag"].strip('"').endswith("-2"), "it was meant to go in parts"
    assert list((place.state_dir / "archives").iterdir()) == []
    assert place.opstool("dlq", "import", "s3://archives/large", "--yes")[1]["succeeded"] == 24
