"""`listen`: the listening room, or the file of one round."""

from __future__ import annotations

import ipaddress
import socket
import webbrowser
from argparse import Namespace
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import quote, urlsplit

from flows.cli.output import Exit, checking, data, data_json, talk
from flows.embedded import configured_api_url
from musiccore.errors import ConfigError
from musiccore.runs.choices import read_tree
from musiccore.runs.deliveries import round_page_key
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.store import Store
from tasks.context import present_store
from tasks.links import enter_link, room_token
from tasks.settings import Settings, process_settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})


def listen(options: Namespace) -> int:
    with checking():
        settings = _settings(options)
        store = present_store()
        if options.run is not None:
            read_tree(store, validate_run_id(options.run))
        if options.file:
            return _file(options, store)
        room_token(settings)
        abroad = not _is_loopback(options.host)
        door = _bind(options.host, options.port)
    host, port = options.host, door.getsockname()[1]
    name = _own_number(door.family) if host in _EVERYWHERE else host
    shown = f"[{name}]" if ":" in name else name
    base = f"http://{shown}:{port}"
    address = enter_link(settings, base=base)
    if options.run is not None:
        address += f"&run={quote(options.run)}"
    if abroad:
        talk(
            f"warning: {host} is reachable from other machines; whoever has the token may listen "
            "and choose, and nothing is encrypted on the way"
        )
    if options.json:
        data_json({"address": address, "host": host, "port": port, "store": store.location()})
    elif not options.silent:
        data(address)
    talk(f"the listening room shows {store.location()}; Ctrl-C closes it")
    if options.open:
        webbrowser.open(address)
    _serve(settings, door, host, abroad=abroad)
    return Exit.DONE


def _settings(options: Namespace) -> Settings:
    settings = process_settings()
    if options.token is not None:
        settings = replace(settings, room_token=options.token)
        if not options.token:
            raise ConfigError("token is empty", hint="leave --token away and one is made")
    return settings


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_number(family: int) -> str:
    """Return the numeric address under which other machines find this one; nothing is sent."""
    where = ("2001:db8::1", 9) if family == socket.AF_INET6 else ("192.0.2.1", 9)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(where)
        except OSError:  # no network
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"port is {port}; a port is a number from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as stack:
            door = stack.enter_context(socket.socket(family, kind, protocol))
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
            door.listen(64)  # from now on whoever asks waits until the pages are ready
            stack.pop_all()
            return door
    except OSError as error:
        raise ConfigError(
            f"port: the room cannot answer at {host}, port {port}: {error.strerror}",
            hint="give another --port, or --port 0 for any free one",
        ) from error


def _serve(settings: Settings, door: socket.socket, host: str, *, abroad: bool) -> None:
    import uvicorn

    from flows.listening.app import RoomSettings, create_app
    from flows.tending import Tending
    from flows.workshop import Workshop

    names = {*_LOOPBACK, host, urlsplit(settings.room).hostname or ""}
    store = present_store()
    logs = settings.cache.expanduser() / "continued"
    api = configured_api_url()
    room = RoomSettings(
        store=settings.store,
        token=room_token(settings),
        tending=Tending(store, Workshop(store, logs)),
        settings=settings,
        begin="" if api is None else f"{api.removesuffix('/').removesuffix('/api')}/deployments",
        hosts=frozenset(names),
        abroad=abroad,
    )
    config = uvicorn.Config(
        create_app(room),
        log_level="warning",
        access_log=False,  # its lines would hold keys
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(config).run(sockets=[door])
    except KeyboardInterrupt:
        talk("the listening room is closed")


def _file(options: Namespace, store: Store) -> int:
    if options.run is None:
        raise ConfigError("file: it is about one run", hint="jukeflow listen --file RUN")
    tree = read_tree(store, options.run)
    path = round_page_key(tree.position)
    there = store.at(options.run)
    if not there.exists(path):
        raise ConfigError(
            f"file: round {tree.position} of run {options.run} has no page yet",
            hint="it is written when the takes of the round are there",
        )
    if options.json:
        data_json({"run": options.run, "round": tree.position, "page": there.location(path)})
    else:
        data(there.location(path))
    return Exit.DONE
