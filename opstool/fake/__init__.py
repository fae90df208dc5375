"""SQS in this process's memory: AWS's semantics behind the seam of sqs.py, fast, seeded, and on virtual time.

For tests of this project and of yours: `Sqs(FakeSqs(clock), clock)`. It answers as AWS documents it; where the
documentation leaves room (order, short polls, second deliveries) `Behaviour` chooses how unkind it is.
"""

from opstool.fake.behaviour import Behaviour
from opstool.fake.clock import FakeClock
from opstool.fake.faults import EntryFault, FailCalls, Faults, no_answer, no_connection, server_error, throttled
from opstool.fake.service import FakeSqs

__all__ = [
    "Behaviour",
    "EntryFault",
    "FailCalls",
    "FakeClock",
    "FakeSqs",
    "Faults",
    "no_answer",
    "no_connection",
    "server_error",
    "throttled",
]
