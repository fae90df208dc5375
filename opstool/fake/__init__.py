"""SQS, CloudWatch Logs and Lambda's mappings in this process's memory: AWS's semantics, seeded, on virtual time.

For tests of this project and of yours: `Sqs(FakeSqs(clock), clock)`; `FakeLogs(clock)` is an `Ask`; `FakeObjects()`
holds archives as S3 does. They answer as AWS documents it; where the documentation leaves room (order, short polls,
second deliveries, empty pages) `Behaviour` and `LogsBehaviour` choose how unkind they are.
"""

from opstool.fake.behaviour import Behaviour
from opstool.fake.clock import FakeClock
from opstool.fake.faults import EntryFault, FailCalls, Faults, no_answer, no_connection, server_error, throttled
from opstool.fake.logs import FakeLogs, LogsBehaviour
from opstool.fake.mappings import FakeLambda
from opstool.fake.objects import FakeObjects
from opstool.fake.service import FakeSqs

__all__ = [
    "Behaviour",
    "EntryFault",
    "FailCalls",
    "FakeClock",
    "FakeLambda",
    "FakeLogs",
    "FakeObjects",
    "FakeSqs",
    "Faults",
    "LogsBehaviour",
    "no_answer",
    "no_connection",
    "server_error",
    "throttled",
]
