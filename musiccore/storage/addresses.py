"""Names that come from outside: store addresses and run ids, judged as text before anything opens.

No library that could follow an address sees it before it has passed here.
"""

from __future__ import annotations

import os
import re
from typing import Final, Literal

from musiccore.errors import ConfigError, StorageError

_RUN_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))]
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_MEMORY_ROOT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_CLOUD_SCHEMES: Final = ("gs", "gcs", "s3", "s3a", "az", "abfs")


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


def split_root(root: object) -> tuple[Literal["file", "memory"], str]:
    """Return the protocol and the place of a store's address, checked as text only.

    Raises:
        ConfigError: if it is not an address of a folder or of memory.
        StorageError: if it belongs to a backend of a later release.
    """

    def refuse(why: str, hint: str | None = None) -> ConfigError:
        return ConfigError(
            f"store: {why}",
            hint=hint or "give a folder such as ./runs, or file:///absolute/folder",
        )

    if isinstance(root, os.PathLike):
        root = os.fspath(root)
    if not isinstance(root, str):
        raise refuse(f"a store address is text, not {type(root).__name__}")
    if not root.strip():
        raise refuse("the address is empty")
    shown = ascii(root if len(root) <= 120 else root[:120] + "...")
    match = _SCHEME.match(root)
    authority = re.match(r"[^/]*://([^/]*)", root)
    if authority and "@" in authority[1]:  # never repeated in the message: it holds a secret
        raise refuse("the address holds credentials", "take them from the environment instead")
    if len(root) > 4096 or not root.isprintable():
        raise refuse(f"{shown} is too long or holds invisible characters")
    if "::" in root:
        raise refuse(f"{shown} chains protocols")
    for bad in "?#%\\*":
        if bad in root:
            raise refuse(f"{shown} holds {bad!r}")
    if ".." in root.split("/"):
        raise refuse(
            f"{shown} holds '..'",
            None if match else f"write the folder out: {os.path.abspath(root)}",
        )
    if match is None:
        if root.startswith("//") or (root.startswith("~") and not root.startswith("~/")):
            raise refuse(f"{shown} is not a folder")
        return "file", root
    scheme, place = match[1], root[match.end() :]
    if scheme == "file" and re.match(r"///[^/]", place):
        return "file", place[2:]
    if scheme == "memory" and place[:2] == "//" and _MEMORY_ROOT.fullmatch(place[2:].rstrip("/")):
        return "memory", place[2:].rstrip("/")
    if scheme in _CLOUD_SCHEMES and place[:2] == "//":
        raise StorageError(
            f"store: {scheme}:// stores follow in a later release",
            hint="use a folder for now; finished runs can be copied as they are",
        )
    raise refuse(f"{shown} is not an address that a store can have")
