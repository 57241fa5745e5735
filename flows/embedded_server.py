"""The Prefect server of one command: `python -P embedded_server.py DATABASE TEMPLATE`.

It prints its port at once and `ready` when it answers, and it ends when its standard input closes,
that is, when the command that started it ends in whatever way.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parents[1]))  # last: whatever is installed comes first
from flows.serving.gate import ServerGate, own_origins
from musiccore.storage.atomic import beside

if TYPE_CHECKING:
    from uvicorn import Server

_CLOSED = "This Prefect server answers nobody but the jukeflow command that started it."


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def _keep_template(database: Path, template: Path) -> None:
    """Keep the migrated, still empty database: the next start skips the migrations."""
    with contextlib.suppress(OSError, sqlite3.Error), beside(template) as aside:
        source = sqlite3.connect(database)
        target = sqlite3.connect(aside)
        with source, target:
            source.backup(target)
        source.close()
        target.close()
        os.replace(aside, template)


def _server(database: Path, template: Path, port: int) -> Server:
    import uvicorn
    from prefect.server.api.server import create_app

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not template.exists():
                _keep_template(database, template)
            _say("ready")

    def guarded() -> ServerGate:
        password = os.environ["PREFECT_SERVER_API_AUTH_STRING"]
        app = create_app(ephemeral=True, final=True)
        return ServerGate(app, port=port, password=password, closed=_CLOSED)

    return Announcing(
        uvicorn.Config(
            guarded,
            factory=True,
            log_level="error",
            lifespan="on",
        )
    )


def main(database: str, template: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # early callers wait in the queue
    port = listener.getsockname()[1]
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(own_origins(port))
    _say(str(port))
    _server(Path(database), Path(template), port).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:3])
