"""A message to a person who is needed: one POST of JSON to the address in `JUKEFLOW_WEBHOOK`.

A message never fails the work and never holds it up: it is sent by a thread of its own, which a
process that ends waits for, for some seconds at most.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

from musiccore.errors import ConfigError
from tasks.links import room_link
from tasks.settings import process_settings

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 4.0
PAUSES_SECONDS = (0.5, 2.0)
"""Between the attempts."""


def notify(event: str, facts: Mapping[str, object]) -> None:
    """Tell the webhook what happened; returns at once.

    Args:
        event: its name, such as `choice-needed`.
        facts: what the message says: `run`, `round`, `text`, `link`. The link of a run is that into
            the listening room if none is given.
    """
    try:
        here = process_settings()
        if not here.webhook:
            return
        message: dict[str, object] = {"event": event, "text": f"jukeflow: {event}"}
        if run := facts.get("run"):
            asked = facts.get("round")
            question = asked if isinstance(asked, int) else None
            message["link"] = room_link(str(run), here, question=question)
        body = json.dumps(message | dict(facts), default=str).encode()
    except (ConfigError, OSError) as error:
        log.warning("the message %s was not sent: %s", event, error)
        return
    threading.Thread(target=_send, args=(here.webhook, body, event), name="notify").start()


def _send(address: str, body: bytes, event: str) -> None:
    """Post a message, twice more if that fails. The address is a secret: no line may hold it."""
    for pause in (*PAUSES_SECONDS, None):
        try:
            _post(address, body)
        except urllib.error.HTTPError as error:
            why, final = f"the webhook answered {error.code}", 400 <= error.code < 500
            error.close()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            why, final = f"the webhook was not reached ({type(reason).__name__})", False
        else:
            return
        if pause is None or final:
            log.warning("the message %s was not delivered: %s", event, why)
            return
        time.sleep(pause)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects lose the body, and may lead anywhere."""

    def redirect_request(self, *_: object) -> None:
        """Follow none: the answer is an error then."""


def _post(address: str, body: bytes) -> None:
    request = urllib.request.Request(
        address, data=body, headers={"Content-Type": "application/json", "User-Agent": "jukeflow"}
    )
    opener = urllib.request.build_opener(_NoRedirects)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        answer.read(1024)
