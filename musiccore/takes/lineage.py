"""The choices that led to one take or song, and how they are made again in another run.

Draws depend on the number of a take, so that every take keeps its number; rounds that nothing of
the song comes from are left out.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from pydantic import ValidationError

from musiccore.errors import ConfigError, MusicCoreError
from musiccore.request.request import GenerationRequest
from musiccore.storage.sealed import Json
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.rounds import next_round
from musiccore.takes.takes import Rendition, Round
from musiccore.takes.tree import Tree

_OLD = "it was written by an older version, or its metadata was cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One choice on the way to a song.

    Attributes:
        choice: what was chosen; of the takes, those that matter.
        takes: numbers of the takes that it made; none if it made no round.
        answers: a take of the round that it answered, 0 if the choice itself says which.
    """

    choice: Choice
    takes: tuple[int, ...] = ()
    answers: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        found: dict[str, Json] = {
            "choice": self.choice.model_dump(mode="json", exclude_defaults=True)
        }
        if self.takes:
            found["takes"] = list(self.takes)
        if self.answers:
            found["answers"] = self.answers
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Everything that decides a take or a song, but for the machine.

    Attributes:
        request: of its run.
        steps: the choices that led to it, oldest first.
        take: its number.
        song: number of the song in a run of these steps alone; 0 for the take itself.
        level: of the codes that were made audible.
        part: which of the sounds of a song: "master", "level", or "take" for the take itself.
        codes: level → sha256 of the codes.
        pcm_sha256: of the sound as it was delivered.
        primer_sha256: of the primer's file; empty without one.
        primer_samples: length of the primer that was used, in samples.
        score: the score that it starts from, as a MIDI file; empty without one.
        weights: network → sha256 of its weights.
        numerics: what else decides the numbers.
        versions: of the programs.
        rng: scheme of the draws.
        pack: where its rows lay in passes that were shared.
    """

    request: GenerationRequest
    steps: tuple[Step, ...]
    take: int
    song: int
    level: int
    part: str
    codes: Mapping[int, str]
    pcm_sha256: str
    primer_sha256: str
    primer_samples: int
    score: bytes
    weights: Mapping[str, str]
    numerics: Mapping[str, Json]
    versions: Mapping[str, str]
    rng: str
    pack: Json

    @classmethod
    def of(cls, provenance: Mapping[str, object]) -> Origin:
        """Read what a file says about itself.

        Raises:
            ConfigError: if it does not say enough, or something impossible.
        """
        origin, codes = provenance.get("origin"), provenance.get("codes")
        if not isinstance(origin, dict) or not isinstance(codes, dict) or not codes:
            raise ConfigError(f"file: it does not hold enough to make it again: {_OLD}")
        try:
            primer = origin.get("primer") or {}
            return cls(
                request=GenerationRequest.parse(origin["request"]),
                steps=tuple(
                    Step(
                        choice=Choice.parse(item["choice"]),
                        takes=tuple(_whole(take) for take in item.get("takes", ())),
                        answers=_whole(item.get("answers", 0)),
                    )
                    for item in origin["choices"]
                ),
                take=_whole(provenance["take"]),
                song=_whole(origin.get("song", 0)),
                level=_whole(provenance["level"]),
                part=str(provenance["part"]),
                codes={int(level): str(digest) for level, digest in codes.items()},
                pcm_sha256=str(provenance["pcm_sha256"]),
                primer_sha256=str(primer.get("sha256", "")),
                primer_samples=_whole(primer.get("n_samples", 0)),
                score=b64decode(origin.get("score", ""), validate=True),
                weights=_texts(provenance["weights"]),
                numerics=dict(_mapping(provenance["numerics"])),
                versions=_texts(origin["versions"]),
                rng=str(provenance["rng"]),
                pack=origin.get("pack"),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
            reason = error.message if isinstance(error, MusicCoreError) else repr(error)
            raise ConfigError(f"file: its provenance is damaged: {reason}") from error


def origin_json(tree: Tree, take: int, song: Rendition | None) -> dict[str, Json]:
    """Return request and choices of a take, or of a song of it, as `Origin.of` reads them."""
    found: dict[str, Json] = {
        "request": dict(tree.facts.request.model_dump(mode="json")),
        "choices": [step.to_json() for step in lineage(tree, take, song)],
    }
    if song is not None:
        found["song"] = _numbers_anew(tree, song)[song.number]
    return found


def rounds_needed(tree: Tree, take: int) -> tuple[Round, ...]:
    """Return the rounds whose takes a take is made of, its own included, in order."""
    numbers = {tree.takes[take].round}
    numbers |= {tree.takes[parent].round for parent in tree.ancestors(take)}
    return tuple(tree.rounds[number] for number in sorted(numbers))


def lineage(tree: Tree, take: int, song: Rendition | None) -> tuple[Step, ...]:
    """Return the choices that led to a take, or to a song of it, oldest first.

    Songs are counted anew: those of the takes of the songs that it comes from.
    """
    anew = {} if song is None else _numbers_anew(tree, song)
    raised = {tree.rendition(number).take for number in anew}
    rounds = _closure(tree, take)
    takes = {number for one in rounds.values() for number in one.takes}
    last = max((one.choice for one in rounds.values()), default=0) if song is None else song.choice
    makers = {one.choice: one for one in rounds.values() if one.choice}
    steps: list[Step] = []
    for made in tree.choices[:last]:
        if made.seq in makers:
            again = made.choice.action == "again"
            answers = tree.rounds[made.round].takes[0] if again else 0
            steps.append(Step(choice=made.choice, takes=makers[made.seq].takes, answers=answers))
        elif made.choice.action == "change" and takes & set(made.choice.takes):
            steps.append(Step(choice=made.choice.about(takes)))
        elif _concerns(tree, made, raised):
            steps.append(Step(choice=_of_the_songs(tree, made.choice, raised, anew)))
    return tuple(steps)


def needed_songs(tree: Tree, number: int) -> tuple[Rendition, ...]:
    """Return a song and those that it comes from, oldest first.

    It may redo a stretch of another one, or keep the beginning of one.
    """
    found: dict[int, Rendition] = {}
    waiting = [number]
    while waiting:
        song = tree.rendition(waiting.pop())
        if song.number not in found:
            found[song.number] = song
            older = (song.base, 0 if song.kept is None else song.kept.song)
            waiting += [one for one in older if one]
    return tuple(found[one] for one in sorted(found))


def _numbers_anew(tree: Tree, song: Rendition) -> dict[int, int]:
    """Return the numbers of songs in a run that makes those of the same takes alone.

    All songs of a take are counted, since later ones draw other numbers; so they need what they
    come from, too.
    """
    before = [one for one in tree.renditions if one.choice <= song.choice]
    takes: set[int] = set()
    waiting = {song.take}
    while waiting:
        takes |= waiting
        needed = [needed_songs(tree, one.number) for one in before if one.take in waiting]
        waiting = {one.take for songs in needed for one in songs} - takes
    there = [one.number for one in before if one.take in takes]
    return {number: index for index, number in enumerate(there, start=1)}


def begin(tree: Tree, made: MadeChoice, step: Step) -> Round | None:
    """Return the round that carries out a choice that is made again; None if it makes none.

    Raises:
        ConfigError: if the choice does not fit the run.
    """
    if not step.takes:
        return None
    return replace(next_round(tree, made), takes=step.takes)


def _closure(tree: Tree, take: int) -> dict[int, Round]:
    """Return the rounds that decide a take: what it is made of, and what was tried again."""
    found: dict[int, Round] = {}
    waiting = [tree.takes[take].round]
    while waiting:
        one = tree.rounds[waiting.pop()]
        if one.number in found:
            continue
        found[one.number] = one
        takes = {one.parent, *(part.take for part in one.parts)} - {0}
        waiting += [tree.takes[number].round for number in takes]
        if one.kind == "again":
            waiting.append(tree.choices[one.choice - 1].round)
    return found


def _concerns(tree: Tree, made: MadeChoice, takes: Set[int]) -> bool:
    """Return whether a choice asks for a song or an audition of some takes."""
    choice = made.choice
    if choice.action == "redo" and choice.rendition is not None:
        return tree.rendition(choice.rendition).take in takes
    wanted = choice.action in ("upsample", "redo", "audition")
    return wanted and not takes.isdisjoint(choice.takes)


def _of_the_songs(tree: Tree, choice: Choice, takes: Set[int], anew: Mapping[int, int]) -> Choice:
    """Return a choice about some takes alone, with other numbers of songs."""
    if choice.action != "redo":
        about = choice.about(takes)
        keeps = tuple(anew.get(number, 0) for number in about.keeps)
        return about.model_copy(update={"keeps": keeps if any(keeps) else ()})
    if choice.rendition is None:
        return choice
    song = tree.rendition(choice.rendition)
    return choice.model_copy(update={"takes": (song.take,), "rendition": anew[song.number]})


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number")
    return value


def _mapping(value: object) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("a table is missing")
    return value


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in _mapping(value).items()}
