"""Takes that nobody published, made audible aside while the room goes on answering."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from musiccore.delivery.impression import Hearing
from musiccore.errors import MusicCoreError
from musiccore.storage.sealed import Json

AGAIN_SECONDS: Final = 30.0
"""What could not be made audible may be possible later: weights arrive, a store comes back."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audible:
    """What is known of a take's sound.

    Attributes:
        facts: fields of a candidate's record; empty until they are there.
        problem: why it cannot be heard here, in a sentence; empty if it can, or soon.
        at: monotonic seconds at which this was found out.
    """

    facts: Mapping[str, Json] = field(default_factory=dict)
    problem: str = ""
    at: float = 0.0


class Ear:
    """Decodes takes one after the other in a thread of its own.

    Args:
        hearing: decodes, and keeps what it decoded.
    """

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        self._known: dict[tuple[str, int], Audible] = {}
        self._digests: dict[str, set[str]] = {}  # of a sound or picture → the runs that have it
        self._asked: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ear")

    def known(self, run_id: str, take: int) -> Audible | None:
        """Return what is known of a take; None if nobody asked for it, or it is being made."""
        with self._lock:
            return self._known.get((run_id, take))

    def ask(self, run_id: str, take: int) -> None:
        """Make a take audible soon, unless it is, or just could not be."""
        key = (run_id, take)
        with self._lock:
            there = self._known.get(key)
            recent = there is not None and time.monotonic() - there.at < AGAIN_SECONDS
            if key in self._asked or (there is not None and (there.facts or recent)):
                return
            self._asked.add(key)
        self._thread.submit(self._make, key)

    def file(self, run_id: str, digest: str) -> bytes | None:
        """Return a sound or picture of a run that was made here; None if it was not."""
        with self._lock:
            if run_id not in self._digests.get(digest, ()):
                return None
        data = self.hearing.file(digest)
        if data is None:  # the cache folder was emptied: it is made again when it is asked for
            with self._lock:
                for key in [k for k, one in self._known.items() if digest in one.facts.values()]:
                    del self._known[key]
        return data

    def _make(self, key: tuple[str, int]) -> None:
        run_id, take = key
        try:
            found = Audible(facts=self.hearing.facts(run_id, take), at=time.monotonic())
        except MusicCoreError as error:
            found = Audible(problem=error.message, at=time.monotonic())
        except Exception as error:  # the pages say so; the log says where
            log.exception("take %d of run %s cannot be decoded", take, run_id)
            found = Audible(problem=f"decoding it failed ({error})", at=time.monotonic())
        with self._lock:
            self._asked.discard(key)
            self._known[key] = found
            for name in ("preview", "waveform", "spectrogram"):
                if digest := found.facts.get(name):
                    self._digests.setdefault(str(digest), set()).add(run_id)
