"""What is known about one function: its template's properties, resolved, with Lambda's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FunctionConfig:
    """One Python function that can run here."""

    logical_id: str
    name: str
    arn: str
    handler: str
    runtime: str
    directory: Path
    log_group: str
    timeout_s: float = 3
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    logs_json: bool = False
    application_log_level: str = ""
    system_log_level: str = "INFO"
    reserved_concurrency: int | None = None


def function_config(
    logical_id: str, properties: Mapping[str, Any], *, name: str, arn: str, directory: Path
) -> FunctionConfig:
    """Read the resolved properties of an AWS::Lambda::Function."""
    logging = properties.get("LoggingConfig") or {}
    logs_json = str(logging.get("LogFormat", "Text")).upper() == "JSON"
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    reserved = properties.get("ReservedConcurrentExecutions")
    return FunctionConfig(
        logical_id=logical_id,
        name=name,
        arn=arn,
        handler=str(properties.get("Handler", "")),
        runtime=str(properties.get("Runtime", "")),
        directory=directory,
        log_group=str(logging.get("LogGroup") or f"/aws/lambda/{name}"),
        timeout_s=float(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        environment={key: _text(value) for key, value in variables.items()},
        logs_json=logs_json,
        # Levels can be set with JSON only; Lambda's defaults there are INFO.
        application_log_level=str(logging.get("ApplicationLogLevel", "INFO")) if logs_json else "",
        system_log_level=str(logging.get("SystemLogLevel", "INFO")) if logs_json else "INFO",
        reserved_concurrency=None if reserved is None else int(reserved),
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
