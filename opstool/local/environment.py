"""The environment of a function's process: what Lambda sets, and nothing of the user's.

It is built from nothing, not by taking things away from the user's, so that no AWS setting of theirs can be forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from opstool.local.client import ClientSettings
from opstool.local.function_config import FunctionConfig

# A process needs these to start at all.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "COMSPEC", "PATHEXT")
# With these a template's own variables could lead out of this machine.
_REFUSED_PREFIXES = ("AWS_ENDPOINT_URL", "AWS_CONTAINER_", "AWS_WEB_IDENTITY_", "AWS_ROLE_")
_REFUSED = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_DEFAULT_PROFILE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_PROFILE",
        "AWS_SECURITY_TOKEN",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
    }
)


def function_environment(
    config: FunctionConfig, *, settings: ClientSettings, scratch: Path, log_stream: str, parent: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables for one process of the function; `parent` is the user's environment."""
    kept = {name: parent[name] for name in _KEPT if name in parent}
    own = {name: value for name, value in config.environment.items() if not _leads_away(name)}
    return {**kept, **own, **_of_lambda(config, settings, log_stream), **_confinement(settings, scratch)}


def _leads_away(name: str) -> bool:
    return name.upper().startswith(_REFUSED_PREFIXES) or name.upper() in _REFUSED


def _of_lambda(config: FunctionConfig, settings: ClientSettings, log_stream: str) -> dict[str, str]:
    """Return the reserved variables of Lambda's runtime; they win over the template's, as there."""
    variables = {
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": config.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON" if config.logs_json else "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": config.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": settings.region,
        "LAMBDA_TASK_ROOT": str(config.directory),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": config.handler,
    }
    if config.application_log_level:
        variables["AWS_LAMBDA_LOG_LEVEL"] = config.application_log_level
    return variables


def _confinement(settings: ClientSettings, scratch: Path) -> dict[str, str]:
    """Return what keeps every AWS SDK on this machine, with credentials that no real account knows."""
    return {
        "AWS_ACCESS_KEY_ID": settings.access_key_id,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_SECRET_ACCESS_KEY": settings.secret_access_key,
        "AWS_SESSION_TOKEN": settings.session_token,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # SDKs look for ~/.aws, and the function's scratch files are its own.
        "HOME": str(scratch),
        "USERPROFILE": str(scratch),
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "TMP": str(scratch),
        "NO_PROXY": "127.0.0.1,localhost",
    }
