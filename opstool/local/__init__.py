"""The embedded AWS: any SAM template with a Python function on a queue, running on this machine without an account.

Importing this is cheap. The emulator itself (the `local` extra) is imported when one is started.
"""

from opstool.local.aws import LocalAws, start
from opstool.local.client import ClientSettings
from opstool.local.detached import start_detached, stop
from opstool.local.state import LocalStatus, status

__all__ = ["ClientSettings", "LocalAws", "LocalStatus", "start", "start_detached", "status", "stop"]
