"""The log of what people decide: it needs no worker, no server and no claim.

A choice is one create-only, numbered, hash-chained record under `choices/`, beside the log of the
workers. So a person can choose while a worker is busy, from a page, a form or a command line, and a
choice that was acknowledged can be read back by anyone, days later.

Everyone who chooses says which was the last choice they had seen. Two choices that contradict each
other, made by people who did not know of each other, are never merged: the second is refused and
says who was first. Somebody who knows the first may still choose otherwise; that is a branch.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from musiccore.errors import ConfigError, MusicCoreError
from musiccore.journal.chain import Chain, in_words
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import Store
from musiccore.takes.choice import DECISIONS, Choice, MadeChoice, Maker, check_printable

_MARKS: Final = frozenset({"keep", "drop"})


_FOLDER: Final = "choices"


_TRIES: Final = 20


_MAX_WHO: Final = 80


class Conflict(MusicCoreError):
    """A choice contradicts another one that its maker had not seen.

    Attributes:
        other: the choice that was there first.
    """

    def __init__(self, message: str, other: MadeChoice, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.other = other


def _name(who: str) -> str:
    try:
        return check_printable(who[:_MAX_WHO].strip()) or ""
    except ValueError as error:
        raise ConfigError(f"who: {error}", hint="give a plain name, or none") from error


def contradiction(first: MadeChoice, choice: Choice, round_number: int) -> bool:
    """Return whether two choices cannot both be meant by people who agree."""
    if first.choice.action in DECISIONS and choice.action in DECISIONS:
        return first.round == round_number and first.choice.as_said() != choice.as_said()
    if first.choice.action in _MARKS and choice.action in _MARKS:
        return first.choice.action != choice.action and bool(
            set(first.choice.takes) & set(choice.takes)
        )
    return False


class ChoiceLog:
    """The choices of one run.

    Args:
        store: the store's root.
        run_id: name of the run.
        run_record: bytes of `run.json`, which the first choice names.
        retry_pause: seconds before a store that did not answer is asked again; doubles.
    """

    def __init__(
        self, store: Store, run_id: str, *, run_record: bytes, retry_pause: float = 1.0
    ) -> None:
        self._run_id = run_id
        self._chain = Chain(
            store.at(run_id),
            run_id,
            head=sha256(run_record),
            retry_pause=retry_pause,
            folder=_FOLDER,
            tip_key=f"{_FOLDER}/tip.json",
            claims=False,
        )

    def read(self) -> tuple[MadeChoice, ...]:
        """Read every choice, oldest first.

        One that is damaged or missing between sound ones keeps its number and asks for nothing; of
        a lost end nothing is left. `losses` says so.

        Raises:
            Corrupt: if one that was read is gone, or is no choice although its bytes are sound.
        """
        self._chain.refresh()
        made = {one.seq: MadeChoice.lost(one.seq) for one in self._chain.holes}
        made |= {event.seq: MadeChoice.of(event) for event in self._chain.replay.events}
        return tuple(made[seq] for seq in sorted(made))

    def losses(self, given_up: Set[int] = frozenset()) -> tuple[str, ...]:
        """Return in sentences which choices are lost.

        Args:
            given_up: numbers of those that a repair gave up.
        """
        chain = self._chain
        found = [
            f"choice {one.seq} {one.why}: make it again, if it still matters"
            for one in chain.holes
            if one.seq not in given_up
        ]
        if chain.tail:
            which = in_words(chain.tail).replace("record", "choice", 1)
            found.append(f"the end of what was chosen is lost, {which}: please choose again")
        if chain.exchanged and not chain.tail and chain.exchanged not in given_up:
            found.append(f"choice {chain.exchanged} is not the one that was made: check it")
        return tuple(found)

    def give_up(self) -> tuple[int, ...]:
        """Keep what is damaged in `quarantine/`, and mark the end of what was chosen.

        Numbers of lost choices are not used again: the work that followed them still names them.

        Returns:
            The numbers of the lost choices.

        Raises:
            StorageError: if the store refused.
        """
        self.read()
        lost_end = bool(self._chain.tail)
        self._chain.pass_over()
        if lost_end:
            self._write(Choice(action="lost"), round_number=0, by="command", who="", known=0)
        exchanged = [self._chain.exchanged] if self._chain.exchanged else []
        return (*(one.seq for one in self._chain.holes), *exchanged)

    def append(
        self,
        choice: Choice,
        *,
        round_number: int,
        by: Maker,
        who: str = "",
        seen: int | None = None,
        branch: bool = False,
    ) -> MadeChoice:
        """Make a choice; when this returns anyone can read it back.

        The same choice made twice by people unaware of each other is one choice.

        Args:
            choice: what is chosen.
            round_number: the round it answers.
            by: where it was made.
            who: name of the person; 80 characters of it are kept.
            seen: number of the last choice that its maker knew of; all of them by default.
            branch: choose although somebody chose otherwise meanwhile; both remain.

        Raises:
            ConfigError: if the name is none, or a number cannot be.
            Conflict: if it contradicts one that its maker had not seen; nothing is written.
            Unavailable: if the store did not answer; it may be made again.
            StorageError: if the store refused.
        """
        who = _name(who)
        if seen is not None and seen < 0:
            raise ConfigError(f"seen is {seen}; it is the number of a choice, or 0")
        made = self.read()
        if self._chain.tail:  # its numbers are taken by what cannot be read
            self._chain.pass_over()
            made = self.read()
        known = len(made) if seen is None else min(seen, len(made))
        for _ in range(_TRIES):
            for other in made[known:]:
                if (other.round, other.choice.as_said()) == (round_number, choice.as_said()):
                    return other
                if not branch and contradiction(other, choice, round_number):
                    raise Conflict(
                        f"choice: {choice.in_words()} contradicts what was chosen meanwhile: "
                        f"{other.in_words()}",
                        other,
                        hint="listen again, then choose {branch} to keep both",
                    )
            written = self._write(choice, round_number=round_number, by=by, who=who, known=known)
            if written is not None:
                return written
            made = self.read()
        raise Conflict(  # pragma: no cover - twenty people at the same instant
            f"choice: run {self._run_id} is being changed all the time",
            made[-1],
            hint="try again in a moment",
        )

    def _write(
        self, choice: Choice, *, round_number: int, by: Maker, who: str, known: int
    ) -> MadeChoice | None:
        """Write the next choice; None if somebody was faster."""
        fields: dict[str, Json] = {
            "by": by,
            "who": who,
            "round": round_number,
            "seen": known,
            "choice": choice.model_dump(mode="json", exclude_defaults=True),
        }
        data = self._chain.encode("choice", fields, epoch=0, owner=by)
        if not self._chain.write(data):
            return None
        written = MadeChoice.of(self._chain.replay.events[-1])
        self.mark_end()
        return written

    def mark_end(self) -> None:
        """Write the hint about the end, also when others write at the same time.

        Raises:
            StorageError: if the store refused.
        """
        self._chain.refresh()
        while self._chain.seq:
            end = self._chain.seq
            self._chain.write_tip()
            self._chain.refresh()
            if self._chain.seq == end:
                return
