"""A consumer on the in-memory SQS and its virtual time: takes what it can, and fails on the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.world import World

_POLL_S = 1.0


@dataclass
class Consumer:
    """Receives from a queue each second of virtual time; what `fails` says is left until it dies.

    Each failure is counted by message id in `failed`.
    """

    world: World
    fails: Callable[[str], bool] = lambda body: bool(json.loads(body).get("bad"))
    visibility_s: int = 10
    failed: dict[str, int] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    on_failure: Callable[[str], None] = lambda _: None
    end: Callable[[], None] = field(init=False)

    def __post_init__(self) -> None:
        """Begin to work."""
        self.end = self.world.clock.every(_POLL_S, self.work)

    def work(self) -> None:
        """Receive until nothing comes."""
        request = {"MaxNumberOfMessages": 10, "VisibilityTimeout": self.visibility_s, "WaitTimeSeconds": 0}
        for _ in range(100):
            messages = self.world.ask("ReceiveMessage", self.world.source, **request).get("Messages", [])
            if not messages:
                return
            for message in messages:
                self._handle(message)

    def _handle(self, message: dict[str, str]) -> None:
        if self.fails(message["Body"]):
            self.failed[message["MessageId"]] = self.failed.get(message["MessageId"], 0) + 1
            self.on_failure(message["MessageId"])
            return
        self.taken.append(message["Body"])
        self.world.ask("DeleteMessage", self.world.source, ReceiptHandle=message["ReceiptHandle"])
