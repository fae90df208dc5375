"""CloudWatch Logs in this process's memory, for tests of this project and of yours: `FakeLogs(clock)` is an `Ask`.

It evaluates filter patterns and Logs Insights queries; what it does not understand it refuses as the service would.
"""

from opstool.fake.logs.behaviour import LogsBehaviour
from opstool.fake.logs.service import FakeLogs

__all__ = ["FakeLogs", "LogsBehaviour"]
