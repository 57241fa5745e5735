"""`serve`: everything on one machine, so that all of it can be started from Prefect's pages."""

from __future__ import annotations

import shlex
from argparse import Namespace

from flows.cli.output import Exit, checking, data, data_json, talk
from flows.embedded import (
    chosen_password,
    configured_api_url,
    configured_password,
    prefect_home,
)
from flows.serving.addresses import LOOPBACK, answers, free_port, local_port
from flows.serving.deployments import LIMITS
from flows.serving.passwords import new_password
from flows.serving.supervisor import ServePlan, Supervisor
from musiccore.errors import ConfigError
from musiccore.storage.atomic import check_place
from tasks.context import new_store
from tasks.links import enter_link, room_token
from tasks.settings import Settings, process_settings


def serve(options: Namespace) -> int:
    with checking():
        settings = process_settings()
        new_store().probe()
        plan = _plan(options, settings)
        if not options.no_room:
            room_token(settings)
        if plan.own_server:
            check_place(plan.home / "prefect.db")

    def announce() -> None:
        room = None if plan.room_url is None else enter_link(settings, base=plan.room_url)
        password = plan.password if plan.own_server else None
        if options.json:
            addresses = {"prefect": plan.ui_url, "api": plan.api_url, "room": room}
            data_json({**addresses, "password": password})
        else:
            data(f"Prefect:        {plan.ui_url}")
            if password is not None:
                data(f"its password:   {password}")
            data(f"Prefect API:    {plan.api_url}")
            data(f"listening room: {room or 'not started'}")
        if plan.own_server:
            talk(f"other commands use this server after: export PREFECT_API_URL={plan.api_url}")
            talk(
                "those of Prefect itself need the password, too: "
                f'export PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(plan.password_file))})"'
            )
        talk("Ctrl-C stops all of it")

    talk("starting; the first time takes a minute")
    Supervisor(plan, talk).run(announce)
    return Exit.DONE


def _plan(options: Namespace, settings: Settings) -> ServePlan:
    if options.gpu_limit < 1:
        raise ConfigError(f"gpu-limit is {options.gpu_limit}; it must be 1 or more")
    configured = configured_api_url()
    own_server = configured is None
    if options.no_server:
        if configured is None:
            raise ConfigError(
                "no-server: no Prefect server is configured",
                hint="set PREFECT_API_URL, or leave --no-server away",
            )
    elif configured is not None and (port := local_port(configured)) is not None:
        own_server = not answers(f"{configured}/health")  # the address of an earlier `serve`
        options.port = port
    api_url = configured or ""
    if own_server:
        api_url = f"http://{LOOPBACK}:{free_port(options.port, 'port')}/api"
    return ServePlan(
        api_url=api_url,
        own_server=own_server,
        room_port=None if options.no_room else free_port(options.room_port, "room-port"),
        limits={**LIMITS, "gpu": options.gpu_limit},
        store=settings.store,
        home=prefect_home().absolute(),
        password=_own_password() if own_server else configured_password(),
    )


def _own_password() -> str:
    """Return a password of this start, or the one that the user has chosen for the server."""
    chosen = chosen_password()
    if chosen and not (chosen.isascii() and chosen.isprintable() and " " not in chosen):
        raise ConfigError(
            "PREFECT_SERVER_API_AUTH_STRING holds a space or a letter beyond ASCII",
            hint="use name:word in plain letters, or unset it and a password is made",
        )
    return chosen or new_password()
