"""Prefect's server as `jukeflow serve` starts it: `python -P -m flows.serving.server PORT`.

It is what `prefect server start` runs, behind our gate; the settings come from the environment.
"""

from __future__ import annotations

import os
import sys

from flows.serving.addresses import LOOPBACK
from flows.serving.gate import ServerGate


def main(port: int) -> None:
    """Serve until SIGTERM."""
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    os.umask(0o077)  # the database holds what only its user should read
    settings = get_current_settings()
    server = settings.server
    assert server.api.auth_string is not None
    gate = ServerGate(
        create_app(final=True),
        port=port,
        password=server.api.auth_string.get_secret_value(),
        addresses=[address for address in (settings.ui_url, server.ui.api_url) if address],
    )
    uvicorn.run(
        gate,
        host=LOOPBACK,
        port=port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
