"""Is the worker that claimed a run still at work? For politeness only; fencing gives the safety.

On the machine of the claim the operating system knows: a process that is gone does not delay
anyone, nor does one of before the machine was started anew. Elsewhere a worker is alive if its
heartbeat changes while we watch, by our own monotonic clock; clocks of two machines are never
compared. Several runs are watched at the same time.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from musiccore.errors import NotFound, StorageError
from musiccore.journal.keys import RUN_KEY
from musiccore.storage.sealed import Json, canonical_json, sha256
from musiccore.storage.store import Store

log = logging.getLogger(__name__)

PROGRESS_SECONDS: Final = 2.0
"""Seconds between two signs of life that tell how far the work is."""

_MAX_HEARTBEAT_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process, named so that it can be recognised when it is gone.

    Attributes:
        host: digest of machine, boot and process namespace.
        host_name: the machine's name, for people.
        pid: process id.
        started: start of the process in ticks since boot, 0 where unknown; process ids come back.
        machine: digest of what names the machine for good, empty where nothing does.
        boot: digest of the machine's last start, empty where unknown.
    """

    host: str
    host_name: str
    pid: int
    started: int
    machine: str = ""
    boot: str = ""

    @classmethod
    def this(cls) -> Self:
        """Return the running process."""
        pid = os.getpid()
        return cls(
            host=_host(),
            host_name=platform.node(),
            pid=pid,
            started=_started(pid) or 0,
            machine=_machine(),
            boot=_boot(),
        )

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Read the form of a claim record; None if it is not one."""
        if not isinstance(value, dict):
            return None
        host, name = value.get("host"), value.get("host_name")
        pid, started = value.get("pid"), value.get("started")
        if not isinstance(host, str) or not isinstance(name, str):
            return None
        if type(pid) is not int or type(started) is not int:
            return None
        machine, boot = value.get("machine"), value.get("boot")  # not in claims of older versions
        return cls(
            host=host,
            host_name=name,
            pid=pid,
            started=started,
            machine=machine if isinstance(machine, str) else "",
            boot=boot if isinstance(boot, str) else "",
        )

    def to_json(self) -> dict[str, Json]:
        """Return the form of a claim record."""
        return {
            "host": self.host,
            "host_name": self.host_name,
            "pid": self.pid,
            "started": self.started,
            "machine": self.machine,
            "boot": self.boot,
        }

    def is_alive(self) -> bool | None:
        """Return whether the process runs; None if it is on another machine."""
        if self.host != _host():
            return False if self._is_of_an_earlier_start() else None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        started = _started(self.pid)
        if started is None:
            return not os.path.isdir("/proc/self")  # gone or a zombie, where /proc can tell
        return self.started in (0, started)

    def _is_of_an_earlier_start(self) -> bool:
        """Return whether this machine was started anew since, which no process outlives."""
        same = bool(self.machine) and self.machine == _machine()
        return same and bool(self.boot) and bool(_boot()) and self.boot != _boot()


class Heartbeat:
    """A thread that writes `heartbeat/<epoch>.json` until it is stopped.

    A beat comes early when there is progress to tell, so that whoever looks at the run sees it.

    Args:
        store: the run's folder.
        epoch: claim to beat for.
        owner: worker that holds it.
        interval: seconds between beats.
    """

    def __init__(self, store: Store, *, epoch: int, owner: str, interval: float) -> None:
        self._store = store
        self._epoch = epoch
        self._owner = owner
        self._interval = interval
        self._progress: Json = None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=_thread_name(owner, epoch), daemon=True
        )

    def start(self) -> None:
        """Start beating; the first beat is written before this returns."""
        self._beat(0)
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and wait for a beat under way."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=10.0)

    def tell(self, progress: Json) -> None:
        """Say how far the work is; written with the next beat. Costs the caller nothing."""
        self._progress = progress

    def _run(self) -> None:
        beat, told, quiet = 0, self._progress, 0.0
        step = min(self._interval, PROGRESS_SECONDS)
        while not self._stop.wait(step):
            quiet += step
            if quiet >= self._interval or self._progress is not told:
                beat, told, quiet = beat + 1, self._progress, 0.0
                self._beat(beat)

    def _beat(self, number: int) -> None:
        beat: dict[str, Json] = {"epoch": self._epoch, "owner": self._owner, "beat": number}
        if self._progress is not None:
            beat["progress"] = self._progress
        data = canonical_json(beat)
        try:
            if self._store.exists(RUN_KEY):  # where the run was, another one may be by now
                self._store.put(heartbeat_key(self._epoch), data)
        except StorageError as error:  # never stops the music; at worst another worker takes over
            log.warning("heartbeat of claim %d not written: %s", self._epoch, error.message)


def told_progress(store: Store, epoch: int) -> Json:
    """Return what the worker of a claim last said about its progress; None if it said nothing.

    Args:
        store: the run's folder.
        epoch: the claim.
    """
    data = _read(store, epoch)
    try:
        beat = None if data is None else json.loads(data)
    except (ValueError, RecursionError):  # for politeness only: what cannot be read says nothing
        return None
    progress: Json = beat.get("progress") if isinstance(beat, dict) else None
    return progress


def heartbeat_key(epoch: int) -> str:
    """Return the key of a claim's heartbeat below the run."""
    return f"heartbeat/{epoch:08d}.json"


class Lookout:
    """Watches the heartbeats of any number of claims at the same time.

    A claim is watched from the first look on, whoever looks: once its heart stood still for
    `patience`, nobody waits for it again.

    Args:
        patience: seconds to watch a heartbeat of another machine.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._seen: dict[tuple[str, int], tuple[float, bytes | None]] = {}

    def look(self, store: Store, worker: Worker | None, *, epoch: int, owner: str) -> bool | None:
        """Return whether the holder of a claim is at work, None while that is open.

        Args:
            store: the run's folder.
            worker: process of the claim, None if the claim does not say.
            epoch: the claim.
            owner: who holds it.
        """
        if worker is not None and worker == Worker.this():
            return any(t.name == _thread_name(owner, epoch) for t in threading.enumerate())
        alive = worker.is_alive() if worker is not None else None
        if alive is not None:
            return alive
        beat = _read(store, epoch)
        since, first = self._seen.setdefault((store.location(), epoch), (time.monotonic(), beat))
        if beat != first:
            return True
        return False if time.monotonic() - since >= self.patience else None

    def wait(
        self,
        store: Store,
        worker: Worker | None,
        *,
        epoch: int,
        owner: str,
        say: Callable[[float, str], None],
    ) -> bool:
        """Watch a claim until it is known whether its holder is at work.

        Args:
            store: the run's folder.
            worker: process of the claim, None if the claim does not say.
            epoch: the claim.
            owner: who holds it.
            say: told the seconds that it may take and the name of the machine, if it takes any.
        """
        step = min(1.0, self.patience / 20)
        said = False
        while (active := self.look(store, worker, epoch=epoch, owner=owner)) is None:
            since, _ = self._seen[store.location(), epoch]
            left = self.patience - (time.monotonic() - since)
            if not said:
                said = True
                say(left, worker.host_name if worker is not None else "another machine")
            time.sleep(max(0.001, min(step, left)))
        return active


def _read(store: Store, epoch: int) -> bytes | None:
    try:
        return store.get(heartbeat_key(epoch), limit=_MAX_HEARTBEAT_BYTES)
    except NotFound:
        return None


def _thread_name(owner: str, epoch: int) -> str:
    return f"heartbeat-{owner}-{epoch}"


@functools.cache
def _machine() -> str:
    """Return a digest of the machine's own name, empty where it has none that lasts."""
    with contextlib.suppress(OSError):
        if name := Path("/etc/machine-id").read_text().strip():
            return sha256(f"{name}\n{platform.node()}".encode())[:16]
    return ""


@functools.cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        name = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return sha256(name.encode())[:16]
    return ""


@functools.cache
def _host() -> str:
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return sha256("\n".join(parts).encode())[:16]


def _started(pid: int) -> int | None:
    """Return a process's start in ticks since boot; None if unknown, gone, or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = text.rpartition(")")[2].split()
    return None if after_name[0] in "ZX" else int(after_name[19])
