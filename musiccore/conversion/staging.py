"""Where a file is made before it gets its name, and whose fault it is if it is not.

Sources of a store are copied here, and the target is made on the disk it goes to, or here for a
store. Errors name those places; a person is told the addresses instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from musiccore.errors import ConfigError, MissingProgram, MusicCoreError, StorageError
from musiccore.storage.files import Found, fetch, look, publish, unwritable
from musiccore.storage.places import Place
from musiccore.storage.scratch import scratch

_UNWRITABLE = "cannot be written"  # what the writers of files say of a full disk
Problem = Literal["source", "request", "codec", "destination", "fault"]


class Stage:
    """The places of one file in the making."""

    def __init__(self) -> None:
        self._target: Place | None = None
        self._out = self._aside = Path()
        self._names: dict[str, str] = {}
        self._made = ""
        self._unread = False

    @contextmanager
    def opened(self, target: Place) -> Iterator[None]:
        """Have room for everything, which is gone afterwards.

        Args:
            target: what is made in the end.

        Raises:
            StorageError: if there is no room.
        """
        with ExitStack() as stack:
            try:
                self._out = stack.enter_context(scratch(target.parent.local))
                self._aside = stack.enter_context(scratch())
            except OSError as error:
                raise unwritable(target, error) from error
            self._target = target
            yield

    def fetched(self, source: Found, checkpoint: Callable[[float], None]) -> Path:
        """Return a source as a file of this machine.

        Args:
            source: it.
            checkpoint: told the share copied.
        """
        place = self._aside / str(len(self._names))
        place.mkdir()
        try:
            file = fetch(source, place, checkpoint)
        except StorageError:
            self._unread = True
            raise
        self._names[str(file)] = str(source.place)
        return file

    def made(self) -> Path:
        """Return the path of the target in the making; its name is that of the target."""
        assert self._target is not None
        made = self._out / self._target.name
        self._made = str(made)
        return made

    def publish(self, *, force: bool) -> None:
        """Give the target its name, and with it the file of tags that some formats need.

        Args:
            force: write over what is there.

        Raises:
            ConfigError: if the name is taken.
            StorageError: if it cannot be written.
        """
        target, made = self._target, Path(self._made)
        assert target is not None
        tags = made.with_name(f"{made.name}.json")
        if os.path.exists(tags) and (  # no error where that name is longer than a disk allows
            force or look(target) is None
        ):
            publish(tags, target.parent.under(tags.name), force=True)
        publish(made, target, force=force)

    def explained(self, error: MusicCoreError) -> tuple[str, Problem]:
        """Return what went wrong, by the addresses a person knows, and whose fault it is."""
        message, problem = error.message, self._problem(error)
        for here, name in self._names.items():
            message = message.replace(here, name)
        if self._made:
            message = message.replace(self._made, str(self._target))
        if problem == "destination" and self._target and self._target.name not in message:
            message = f"{str(self._target)!r}: {message}"
        return message, problem

    def _problem(self, error: MusicCoreError) -> Problem:
        if isinstance(error, MissingProgram):
            return "codec"
        if isinstance(error, ConfigError):
            return "request"
        if isinstance(error, StorageError):
            return "source" if self._unread else "destination"
        here = self._made and self._made in error.message
        return "destination" if here or _UNWRITABLE in error.message else "source"
