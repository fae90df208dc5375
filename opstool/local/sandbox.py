"""The process a function runs in: what Lambda's Python runtime does, and nothing of opstool.

Run by path, with the standard library only, by process.py. Its stdin carries one JSON line an invocation. Its stdout
is everything the function prints, in order, with frames in between: what follows the token of the first stdin line is a
frame, in JSON, to the end of its line. Frames are `ready`, `log` (one log record, whatever its newlines), `reply` and
`error`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from types import SimpleNamespace
from typing import Any

# What Lambda's Python runtime brings; everything else a function needs stands in its requirements.
PROVIDED = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"})


class FunctionFaultError(Exception):
    """The function cannot be loaded, or answered with what is not JSON; named as Lambda names it."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class ProvidedPackages(importlib.abc.MetaPathFinder):
    """Find some packages of this machine's site-packages, and no others there."""

    def __init__(self, folders: list[str], names: list[str], distributions: list[str]) -> None:
        """Take the folders to look in, the top-level names to find, and the distributions they belong to."""
        self._folders = folders
        self._names = PROVIDED.union(names)
        self._distributions = frozenset(distributions)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return where a provided top-level package is."""
        if path is None and fullname in self._names:
            return importlib.machinery.PathFinder.find_spec(fullname, self._folders, target)
        return None

    def find_distributions(self, context: Any) -> Any:
        """Return the metadata of the distributions, for packages that ask for their own version."""
        from importlib import metadata  # noqa: PLC0415 few functions ask

        inside = metadata.DistributionFinder.Context(name=context.name, path=self._folders)
        for found in metadata.MetadataPathFinder.find_distributions(inside):
            if found.metadata["Name"].lower().replace("_", "-") in self._distributions:
                yield found


class Channel:
    """The way back to the parent: frames between what the function prints."""

    def __init__(self, token: str) -> None:
        """Take the token by which the parent knows a frame."""
        self._token = token
        self._lock = threading.Lock()

    def send(self, kind: str, **content: Any) -> None:
        """Write a frame after everything that was printed before it."""
        frame = json.dumps({"kind": kind, **content})
        with self._lock:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):  # the function may have closed or replaced it
                    stream.flush()
            _write_all(1, f"{self._token}{frame}\n".encode())


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class LambdaContext:
    """The second argument of a handler."""

    client_context = identity = None

    def __init__(self, request_id: str, deadline_s: float, function_arn: str) -> None:
        """Take what differs between invocations; the rest is in the environment."""
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline_s = deadline_s

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before the function is ended."""
        return max(0, int((self._deadline_s - time.time()) * 1000))

    def log(self, message: str) -> None:
        """Print without a newline, as Lambda's own does."""
        sys.stdout.write(message)


class LogHandler(logging.Handler):
    """The root logger's handler: one frame a record, in the format of the function's logging configuration."""

    def __init__(self, channel: Channel, invocation: SimpleNamespace) -> None:
        """Take the way back and the invocation whose id goes into each record."""
        super().__init__()
        self._channel = channel
        self._invocation = invocation
        self._json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        request_id = self._invocation.request_id
        text = _json_record(record, request_id) if self._json else _text_record(record, request_id)
        self._channel.send("log", text=text)


def _text_record(record: logging.LogRecord, request_id: str) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    text = f"[{record.levelname}]\t{at}.{int(record.msecs):03d}Z\t{request_id}\t{record.getMessage()}"
    if record.exc_info:
        text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return text


def _json_record(record: logging.LogRecord, request_id: str) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    content: dict[str, Any] = {
        "timestamp": f"{at}.{int(record.msecs):03d}Z",
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
        "requestId": request_id,
    }
    if record.exc_info and record.exc_info[0]:
        content["errorType"] = record.exc_info[0].__name__
        content["errorMessage"] = str(record.exc_info[1])
        content["stackTrace"] = traceback.format_tb(record.exc_info[2])
        content["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
    return json.dumps(content, default=str)


def load_handler(name: str) -> Any:
    """Import the handler `module.function`; sub-packages are separated by dots or slashes."""
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        raise FunctionFaultError("Runtime.MalformedHandlerName", f"Bad handler '{name}': it names no function")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        fault = f"Unable to import module '{module_name}': {error}"
        raise FunctionFaultError("Runtime.ImportModuleError", fault) from error
    except SyntaxError as error:
        fault = f"Syntax error in module '{module_name}': {error}"
        raise FunctionFaultError("Runtime.UserCodeSyntaxError", fault) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        fault = f"Handler '{attribute}' missing on module '{module_name}'"
        raise FunctionFaultError("Runtime.HandlerNotFound", fault) from error


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    """Return an error as Lambda returns it to whoever invoked."""
    if isinstance(error, FunctionFaultError):
        named, stack = error.error_type, []
    else:
        named = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        stack = traceback.format_list([f for f in frames if f.filename != __file__])
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 an exception's own text may raise
        text = ""
    return {"errorMessage": text, "errorType": named, "requestId": request_id, "stackTrace": stack}


def answer(handler: Any, invocation: dict[str, Any], channel: Channel) -> None:
    """Run the handler once and send what it returned or raised. SystemExit ends the process, as it does in Lambda."""
    request_id = invocation["request_id"]
    context = LambdaContext(request_id, invocation["deadline_s"], invocation["function_arn"])
    try:
        returned = handler(invocation["event"], context)
        try:
            payload = json.dumps(returned)
        except (TypeError, ValueError) as error:
            raise FunctionFaultError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    except Exception as error:  # noqa: BLE001 whatever the function raises is its answer
        channel.send("error", error=describe(error, request_id), memory_mb=memory_mb())
    else:
        channel.send("reply", payload=payload, memory_mb=memory_mb())


def memory_mb() -> int:
    """Return the most memory this process has used, or 0 where the machine does not say."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 pathlib would slow each start
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
    except OSError:  # not Linux
        pass
    return 0


def follow_parent(source: Any, invocations: queue.SimpleQueue[str]) -> None:
    """Pass lines on; when the parent is gone there is nobody to work for, even in the middle of an invocation."""
    for line in source:
        invocations.put(line)
    os._exit(0)


def main() -> None:
    """Load the function, then answer invocations until the parent closes stdin."""
    source = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a function that reads stdin must not take an invocation
    setup = json.loads(source.readline())
    sys.path[:0] = setup["path"]
    # Last: what the function brings itself wins.
    sys.meta_path.append(ProvidedPackages(setup["folders"], setup["names"], setup["distributions"]))
    channel = Channel(setup["token"])
    current = SimpleNamespace(request_id="")
    logging.getLogger().addHandler(LogHandler(channel, current))
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        logging.getLogger().setLevel(logging.getLevelNamesMapping().get(level, logging.NOTSET))
    invocations: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=follow_parent, args=(source, invocations), daemon=True).start()
    try:
        handler = load_handler(setup["handler"])
    except Exception as error:  # noqa: BLE001 module code may raise anything; Lambda reports it and starts anew
        channel.send("error", error=describe(error, ""), memory_mb=memory_mb())
        sys.exit(1)
    channel.send("ready")
    while True:
        invocation = json.loads(invocations.get())
        current.request_id = invocation["request_id"]
        answer(handler, invocation, channel)


if __name__ == "__main__":
    main()
