"""The frames of a traceback, in the ways in which six languages print them, and which of them is the consumer's own."""

from __future__ import annotations

import re

# A frame is a short line; what is longer is somebody's data, and is not looked at.
_LONGEST_FRAME = 1_000
_MOST_LINES = 500

_PYTHON = re.compile(r'\s*>?\s*File "([^"]+)", line \d+(?:, in (.+))?$')
_NODE = re.compile(r"\s*at (?:async )?(?:([^()]+) \()?((?:file://)?[^()]+):\d+:\d+\)?$")
_JAVA = re.compile(r"\s*at (?:[\w.@-]*/)?([\w$.<>]+)\((Unknown Source|Native Method|[^():]+\.\w+)(?::\d+)?\)")
_DOTNET = re.compile(r"\s*at ([^()]+)\(.*\)(?: in (.+):line \d+)?$")
_RUBY = re.compile(r"\s*(?:from )?([^\s:]+\.rb):\d+:in [`'](.+)'")
_FRAMES = (_PYTHON, _NODE, _JAVA, _RUBY, _DOTNET)

# What Lambda, the languages and their packages bring: https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
# has layers under /opt, and the runtimes live in /var/runtime and /var/lang.
_NOT_OURS = (
    "/opt/", "/var/runtime/", "/var/lang/", "site-packages/", "dist-packages/", "node_modules/", "/lib/python3",
    "/lib/ruby/", "/gems/", "/usr/lib/", "/usr/local/lib/", "/usr/local/go/", "node:", "<frozen ", "internal/",
)  # fmt: skip
_NOT_OUR_CLASSES = (
    "java.", "javax.", "jdk.", "sun.", "kotlin.", "scala.", "com.amazonaws.services.lambda.runtime.",
    "com.fasterxml.", "org.springframework.", "software.amazon.", "System.", "Microsoft.", "Amazon.Lambda.",
    "lambda_method",
)  # fmt: skip


def is_frame(line: str) -> bool:
    """Tell whether a line is a frame of a traceback, without the source that Python prints below it."""
    return len(line) <= _LONGEST_FRAME and any(pattern.match(line) for pattern in _FRAMES)


def is_stack_frame(line: str) -> bool:
    """Tell whether a line is a frame in a language that prints the error above its frames, innermost first."""
    return len(line) <= _LONGEST_FRAME and any(pattern.match(line) for pattern in _FRAMES[1:])


def place_of(traceback: str) -> str:
    """Return "file.function" of the innermost frame of the consumer's own code; empty when there is none.

    The file is its base name without ending, and no line number is part of it, so that a place survives an edit.
    """
    found = ""
    lines = traceback.split("\n")
    for line in lines if len(lines) <= _MOST_LINES else lines[: _MOST_LINES // 2] + lines[-_MOST_LINES // 2 :]:
        if len(line) > _LONGEST_FRAME:
            continue
        if python := _PYTHON.match(line):
            found = _own(python[1], python[2] or "") or found  # Python prints the innermost last
        elif found:
            continue
        elif own := _stack_place(line):
            return own
    return found


def _stack_place(line: str) -> str:
    if node := _NODE.match(line):
        return _own(node[2], node[1] or "")
    if java := _JAVA.match(line):
        return "" if java[1].startswith(_NOT_OUR_CLASSES) else _named(java[2], java[1].rpartition(".")[2])
    if ruby := _RUBY.match(line):
        return _own(ruby[1], ruby[2])
    if dotnet := _DOTNET.match(line):
        function = dotnet[1].strip()
        if function.startswith(_NOT_OUR_CLASSES):
            return ""
        return _named(dotnet[2], function.rpartition(".")[2]) if dotnet[2] else function
    return ""


def _own(file: str, function: str) -> str:
    """Return the place, empty when the file came with the runtime, a layer or a package."""
    return "" if any(mark in file for mark in _NOT_OURS) else _named(file, function)


def _named(file: str, function: str) -> str:
    base = file.replace("\\", "/").rpartition("/")[2]
    stem = base.rpartition(".")[0] or base
    return f"{stem}.{function.strip()}".rstrip(".")
