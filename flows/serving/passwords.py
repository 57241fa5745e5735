"""The password of a Prefect server that `jukeflow serve` starts: made, kept, and found again.

It is of one start. Whoever may read the user's files may use the server, so it lies in a file of
the user's own beside the database, where other commands find it by themselves.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
import urllib.error
import urllib.request
from pathlib import Path

from flows.serving.addresses import local_port
from musiccore.errors import ConfigError
from musiccore.storage.atomic import replace_file

USER = "jukeflow"
_WAIT_SECONDS = 3.0


def new_password() -> str:
    """Return a password as Prefect wants it: a name, a colon, a word."""
    return f"{USER}:{secrets.token_urlsafe(24)}"


def password_file(home: Path, port: int) -> Path:
    """Return where the password of the server at a port lies.

    Args:
        home: Prefect's folder.
        port: of the server.
    """
    return home / f"jukeflow-password-{port}"


def keep_password(path: Path, password: str) -> None:
    """Write a password in one step, for nobody but this user.

    Raises:
        ConfigError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, f"{password}\n".encode(), mode=0o600)
    except OSError as error:
        raise ConfigError(
            f"the password of Prefect's server cannot be kept in {path}: {error.strerror}",
            hint="set PREFECT_HOME to a folder that can be written",
        ) from error


def forget_password(path: Path, password: str) -> None:
    """Remove the password of a server that has ended, unless another has taken its place."""
    with contextlib.suppress(OSError):
        if path.read_text().strip() == password:
            path.unlink()


def kept_password(home: Path, api_url: str) -> str:
    """Return the password of a server on this machine; empty if none is kept here.

    A file that others may read or write is not believed.

    Args:
        home: Prefect's folder.
        api_url: of the server.
    """
    port = local_port(api_url)
    if port is None:
        return ""
    path = password_file(home, port)
    try:
        found = path.lstat()
        ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or not ours:
            return ""
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def check_password(api_url: str, password: str) -> None:
    """Ask a server of this machine whether it takes a password; one elsewhere is not asked.

    Args:
        api_url: of the server.
        password: empty for none.

    Raises:
        ConfigError: if it does not take it.
    """
    if local_port(api_url) is None:
        return
    request = urllib.request.Request(f"{api_url.rstrip('/')}/admin/version")
    if password:
        word = base64.b64encode(password.encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy
    try:
        opener.open(request, timeout=_WAIT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401:
            raise refused(api_url, given=bool(password)) from error
    except OSError:
        return  # whoever needs the server will say that it is not there


def refusal(error: BaseException | None) -> ConfigError | None:
    """Return what a person should know if a server refused a password; None for other errors.

    Args:
        error: of Prefect's client, or one that it caused.
    """
    while error is not None:
        response = getattr(error, "response", None)
        request = getattr(response, "request", None)
        if request is not None and getattr(response, "status_code", None) == 401:
            api_url = str(request.url).partition("/api/")[0] + "/api"
            return refused(api_url, given="authorization" in request.headers)
        error = error.__cause__ or error.__context__
    return None


def refused(api_url: str, *, given: bool) -> ConfigError:
    """Return what a person should know when a server wants a password.

    Args:
        api_url: of the server.
        given: whether it was given one.
    """
    what = "refuses the password in PREFECT_API_AUTH_STRING" if given else "wants a password"
    other = "another server's, or an earlier start's: " if given else ""
    return ConfigError(
        f"PREFECT_API_URL: the Prefect server at {api_url} {what}",
        hint=f"{other}set PREFECT_API_AUTH_STRING to the one that `jukeflow serve` printed (it "
        "lies in jukeflow-password-PORT of its PREFECT_HOME), or unset PREFECT_API_URL",
    )
