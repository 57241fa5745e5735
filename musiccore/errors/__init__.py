"""Exceptions of jukeflow: every message is fit to show a user.

MusicCoreError
├── ConfigError (ValueError)        a wrong option or configuration
├── AudioError                      unreadable, empty, not finite, wrong rate
├── CodesError (ValueError)         wrong shape, level or range; too short to upsample
├── ConditioningError (ValueError)  unknown artist or genre, characters outside the vocabulary
├── CheckpointError                 weights missing, damaged, or not of this model
├── StorageError                    the store failed
│   ├── NotFound                    no such run or object
│   ├── Corrupt                     bytes differ from their digest, or the log has a gap
│   ├── Unavailable                 transient: the store did not answer
│   ├── Gone                        the store went away while a run was written to it
│   └── Fenced                      another worker has claimed the run
├── MissingProgram                  a program or a codec that is not installed is needed
└── DeviceError                     no such device, or out of memory
"""

from __future__ import annotations

from musiccore.errors.doors import LIBRARY, Door

LONGEST = 2000
"""Characters of a message; a name in a file of a stranger may be longer."""


class MusicCoreError(Exception):
    """Base of all errors that jukeflow raises on purpose.

    Args:
        message: what happened, with the values; one sentence that names the field.
        hint: what the user can do about it; fields are marked as `{seconds}`, see `Door`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if len(message) > LONGEST:  # what is wrong stands at one of the ends
            message = f"{message[: LONGEST // 2]}…{message[-LONGEST // 2 :]}"
        super().__init__(message)
        self.message = message
        self.marked_hint = hint

    @property
    def hint(self) -> str | None:
        """What the user can do about it, with the fields as the library calls them."""
        return self.hint_at(LIBRARY)

    def hint_at(self, door: Door) -> str | None:
        """Return what the user can do about it, in the words of a door."""
        return None if self.marked_hint is None else door.says(self.marked_hint)

    def sentence_at(self, door: Door) -> str:
        """Return all of it on one line, in the words of a door."""
        hint = self.hint_at(door)
        said = self.message if hint is None else f"{self.message} (hint: {hint})"
        return " ".join(said.split())

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n\nhint: {self.hint}"


class ConfigError(MusicCoreError, ValueError):
    """An option or a configuration is wrong."""


class AudioError(MusicCoreError):
    """Audio is unreadable, empty, not finite, or has the wrong rate."""


class CodesError(MusicCoreError, ValueError):
    """Codes have the wrong shape, level or range, or are too short."""


class ConditioningError(MusicCoreError, ValueError):
    """An artist or genre is unknown, or lyrics hold characters outside the vocabulary."""


class CheckpointError(MusicCoreError):
    """Weights are missing, damaged, or belong to another model."""


class StorageError(MusicCoreError):
    """The store failed."""


class NotFound(StorageError):
    """The store holds no such run or object."""


class Corrupt(StorageError):
    """Stored bytes differ from their digest, or the log has a gap."""


class Unavailable(StorageError):
    """The store did not answer; the same call may succeed later."""


class Gone(StorageError):
    """The store went away during the work: a drive was unmounted, a folder removed or renamed."""


class Fenced(StorageError):
    """Another worker has claimed this run; this one must stop without touching it."""


class MissingProgram(MusicCoreError):
    """A program or a codec is needed that is not on this machine.

    Args:
        message: what was wanted, and what is missing for it.
        hint: how to get it.
        extra: the optional dependency of this package that brings it.
    """

    def __init__(self, message: str, *, hint: str | None = None, extra: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.extra = extra


class DeviceError(MusicCoreError):
    """The device does not exist or is out of memory."""
