"""Names of runs that come from outside, judged as text before anything opens."""

from __future__ import annotations

import re

from musiccore.errors import ConfigError

_RUN_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))]
)


def validate_run_id(run_id: object, *, field: str = "run") -> str:
    """Return `run_id` if it is a safe name for a folder on every system.

    Args:
        run_id: lower-case letters, digits, `.`, `_`, `-`; 1 to 64 of them; a letter or digit at
            both ends; no `..`; not a device name of Windows.
        field: name of the field in the message.

    Raises:
        ConfigError: if it is not.
    """
    if not isinstance(run_id, str):
        raise ConfigError(f"{field}: a run id is text, not {type(run_id).__name__}")
    safe = _RUN_ID.fullmatch(run_id) and ".." not in run_id
    if not safe or run_id.split(".")[0] in _DEVICE_NAMES:
        shown = ascii(run_id if len(run_id) <= 80 else run_id[:80] + "...")
        raise ConfigError(
            f"{field}: {shown} is not a run id",
            hint="1 to 64 lower-case letters, digits, '.', '_' or '-', with a letter or digit "
            "first and last, no '..', and not a device name such as 'con'",
        )
    return run_id
