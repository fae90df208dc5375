"""Somebody else at the same queue, a slow target, and a watch over every send: what attacks on leases are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opstool.fake import Faults
from opstool.fake.stored import State
from tests.world import Accepted, World


class Rival:
    """Another person's tool: takes what it can see of the dead-letter queue, and holds it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._until_s: dict[str, float] = {}
        self._handles: dict[str, str] = {}

    def take(self, *, hold_s: int) -> list[str]:
        """Receive everything that is visible; return the ids."""
        taken: list[str] = []
        until_s = self._world.clock.monotonic() + hold_s
        while found := self._world.ask(
            "ReceiveMessage", self._world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=hold_s
        ).get("Messages"):
            for message in found:
                self._until_s[message["MessageId"]] = until_s
                self._handles[message["MessageId"]] = message["ReceiptHandle"]
                taken.append(message["MessageId"])
        return taken

    def delete(self, message_ids: list[str]) -> None:
        """Settle what was taken."""
        for message_id in message_ids:
            self._world.ask("DeleteMessage", self._world.dlq, ReceiptHandle=self._handles[message_id])

    def holds(self, message_id: str) -> bool:
        """Tell whether a message is in the rival's hands now."""
        return self._world.clock.monotonic() < self._until_s.get(message_id, 0)


class Watch(Accepted):
    """Looks at every send before it is carried out: `stolen` are bodies whose original was not in our hands.

    A send takes `send_s`, in which the heartbeat runs. `inner` makes the faults.
    """

    def __init__(self, world: World, rival: Rival, inner: Faults | None = None, *, send_s: float = 0.0) -> None:
        super().__init__(inner)
        self._world = world
        self._rival = rival
        self.send_s = send_s
        self.stolen: list[str] = []
        self.sent_at_s: list[float] = []

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look, then let the time pass that the target takes."""
        if operation == "SendMessageBatch":
            self.sent_at_s.append(self._world.clock.monotonic())
            self.stolen += [entry["MessageBody"] for entry in request["Entries"] if not self._is_ours(entry)]
            self._world.clock.sleep(self.send_s)
        return super().before(operation, request)

    def _is_ours(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether the original is in flight, and not with the rival."""
        self._world.visible(self._world.dlq)  # lets everything happen that time has brought
        originals = [each for each in self._world.stored(self._world.dlq) if each.body == entry["MessageBody"]]
        return any(each.state is State.IN_FLIGHT and not self._rival.holds(each.message_id) for each in originals)


class Refuse(Faults):
    """Every request of one operation fails with this error, for as long as it is there."""

    def __init__(self, operation: str, error: Exception) -> None:
        self._operation = operation
        self._error = error

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Fail."""
        if operation == self._operation:
            raise self._error


def set_wall_clock(world: World, seconds: float) -> None:
    """Set the clock of this machine forward, or back, as NTP or a person does: SQS's own time does not change."""
    world.clock.jump_wall(seconds)
    behaviour = world.fake._behaviour
    world.fake._behaviour = replace(behaviour, skew_s=behaviour.skew_s - seconds)
