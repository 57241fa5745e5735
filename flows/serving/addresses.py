"""Where the server and the listening room of `jukeflow serve` answer."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from musiccore.errors import ConfigError

LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = (LOOPBACK, "localhost", "::1")


def free_port(wanted: int, option: str) -> int:
    """Return a port of this machine that nobody uses.

    Args:
        wanted: the port, or 0 for any.
        option: named in the error.

    Raises:
        ConfigError: if it is taken, or no port.
    """
    if not 0 <= wanted <= 65535:
        raise ConfigError(f"{option} is {wanted}; a port is a number from 0 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise ConfigError(
                f"{option}: {wanted} is in use on this machine",
                hint=f"give another port, or --{option} 0 for any free one",
            ) from error
        return int(probe.getsockname()[1])


def local_port(api_url: str) -> int | None:
    """Return the port of an address on this machine; None for an address elsewhere."""
    parts = urlsplit(api_url)
    return (parts.port or 80) if parts.hostname in _LOCAL_NAMES else None


def answers(url: str) -> bool:
    """Return whether a web server answers here, with whatever it has to say."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy
    try:
        opener.open(url, timeout=3).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True
