"""One picture of a run for every screen: the room, the round page, forms, and `--json`.

Reads the log and the choices, no weights and no audio. Sound and pictures are named by their
digest; `Store.get_blob` gives their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.runs.choices import tree_and_losses
from musiccore.runs.open_run import OpenRun
from musiccore.runs.outlook import song_part
from musiccore.runs.status import RunStatus, describe, page_of
from musiccore.storage.sealed import Json
from musiccore.storage.store import Store
from musiccore.takes.rounds import shortest_song
from musiccore.takes.takes import Rendition, Round, Take
from musiccore.takes.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A run, read once.

    Attributes:
        store: the store's root.
        journal: its log.
        tree: what the log and the choices amount to.
        status: in words and numbers.
    """

    store: Store
    journal: Journal
    tree: Tree
    status: RunStatus

    @classmethod
    def of(cls, store: Store, run_id: str) -> Picture:
        """Read a run.

        Raises:
            ConfigError: if the run id is not one.
            NotFound: if there is no such run.
            Corrupt: if its log is damaged.
        """
        journal = Journal.open(store, run_id)
        tree, losses = tree_and_losses(store, journal)
        status = describe(store, journal, tree, losses)
        return cls(store=store, journal=journal, tree=tree, status=status)

    @classmethod
    def of_open(cls, run: OpenRun) -> Picture:
        """Return a run that is open, as it stands; reads nothing but new choices."""
        tree = run.tree(fresh=True)
        losses = run.losses()
        status = describe(run.root, run.journal, tree, losses)
        return cls(store=run.root, journal=run.journal, tree=tree, status=status)

    @property
    def title(self) -> str:
        """What the run is called."""
        return self.status.title or self.status.run

    def to_json(self) -> dict[str, object]:
        """Return everything that a screen shows."""
        tree, status = self.tree, self.status
        return {
            "run": status.run,
            "title": self.title,
            "state": status.state,
            "words": "; ".join(filter(None, (status.words, status.message))),
            "model": status.model,
            "created": status.created,
            "store": status.store,
            "round": tree.position,
            "seen": tree.seen,
            "shortest_song": tree.facts.seconds(shortest_song(tree.facts)),
            "settings": self.settings(),
            "candidates": self.candidates(),
            "rounds": [self._round(one) for one in tree.rounds.values()],
            "takes": [self._take(take) for take in tree.takes.values()],
            "songs": [self._song(song) for song in tree.renditions],
            "choices": [
                {
                    "seq": made.seq,
                    "at": made.at,
                    "by": made.by,
                    "who": made.who,
                    "round": made.round,
                    "action": made.choice.action,
                    "takes": list(made.choice.takes),
                    "words": made.choice.in_words(),
                    "done": tree.fulfilled(made),
                }
                for made in tree.choices
            ],
        }

    def candidates(self, number: int | None = None) -> list[dict[str, object]]:
        """Return the takes of a round that were not dropped, as far as they are published.

        Args:
            number: of the round; the one that is looked at by default.
        """
        here = self.tree.rounds[self.tree.position if number is None else number]
        return [
            self._take(self.tree.takes[take])
            for take in here.takes
            if take in here.published and not self.tree.takes[take].dropped
        ]

    def settings(self) -> dict[str, object]:
        """Return what the round that is looked at was made with."""
        here = self.tree.rounds[self.tree.position]
        request = self.tree.request(here.changes)
        temperature = request.temperatures(self.tree.facts.config)[-1]
        sung = request.sung(self.tree.facts.config)
        return {
            "artist": request.conditioning.artist,
            "genre": request.conditioning.genre,
            "lyrics": request.conditioning.lyrics,
            "sung": [] if sung is None else sung.sentences(),
            "temperature": temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k,
            "takes": request.takes,
            "total_seconds": request.total_seconds,
        }

    def _round(self, one: Round) -> dict[str, object]:
        return {
            "round": one.number,
            "kind": one.kind,
            "parent": one.parent or None,
            "takes": list(one.takes),
            "choice": one.choice or None,
            "seconds": self.tree.facts.seconds(one.n_codes),
            "new_from": self.tree.facts.seconds(one.known) if one.sampled else 0.0,
            "parts": [
                [p.take, self.tree.facts.seconds(p.start), self.tree.facts.seconds(p.end)]
                for p in one.parts
            ],
            "done": one.done,
            "decided": [made.seq for made in self.tree.choices if made.round == one.number],
        }

    def _take(self, take: Take) -> dict[str, object]:
        tree = self.tree
        heard = tree.rounds[take.round].published.get(take.number)
        file = None if heard is None else heard.fields.get("file")
        audio = self.journal.store.location(str(file["path"])) if isinstance(file, dict) else None
        return {
            "take": take.number,
            "round": take.round,
            "parent": take.parent or None,
            "seconds": tree.seconds(take.number),
            "new_from": tree.facts.seconds(take.new_from),
            "name": take.name,
            "note": take.note,
            "stars": take.stars,
            "kept": take.kept,
            "dropped": take.dropped,
            "purged": take.number in tree.purged,
            "audio": audio,
            **_heard(heard),
            "flags": _field(heard, "flags", []),
            "score": _field(heard, "score", None),
            "changes": tree.changes(take.number).given(),
            "auditions": [
                {
                    "choice": one.choice,
                    "start": tree.facts.seconds(one.start),
                    "end": tree.facts.seconds(one.end),
                    **_heard(one.published),
                }
                for one in tree.auditions
                if one.take == take.number
            ],
            "songs": [song.number for song in tree.renditions if song.take == take.number],
        }

    def _song(self, song: Rendition) -> dict[str, object]:
        export, config = song.exported, self.tree.facts.config
        master = None if export is None else export.fields.get("master")
        path = str(master["path"]) if isinstance(master, dict) else None
        folder = None if export is None else str(export.fields.get("folder"))
        page = None if export is None else page_of(self.journal, export) or None
        location = self.journal.store.location
        levels = [
            {"level": level, "fraction": 1.0 if export is not None else self._done(song, level)}
            for level in reversed(range(config.levels - 1))
        ]
        return {
            "song": song.number,
            "take": song.take,
            "version": song.version,
            "base": song.base or None,
            "kept": None
            if song.kept is None
            else {
                "song": song.kept.song,
                "seconds": self.tree.facts.seconds(song.kept.n_codes),
            },
            "start": self.tree.facts.seconds(song.start),
            "end": self.tree.facts.seconds(song.end),
            "choice": song.choice,
            "done": export is not None,
            "master": None if path is None else location(path),
            "page": page,
            "folder": folder,
            "seconds": self.tree.seconds(song.take),
            "levels": levels,
            "stretches": [] if export is not None else self._stretches(song),
        }

    def _done(self, song: Rendition, level: int) -> float:
        """Return the part of a level that is sampled, auditions included."""
        part = song_part(self.tree, self.journal, song, level)
        return part.done / max(1, part.codes)

    def _sounding(self, song: Rendition, level: int) -> list[Event]:
        return [
            event
            for event in self.journal.events_of("sounding")
            if event.fields.get("rendition") == song.number and event.fields.get("level") == level
        ]

    def _stretches(self, song: Rendition) -> list[dict[str, object]]:
        """Return what is audible of a song, worst level first; times in seconds."""
        found: list[dict[str, object]] = []
        for level in reversed(range(self.tree.facts.config.levels - 1)):
            prior = self.tree.facts.config.priors[level]
            second = prior.sample_rate / prior.hop_length
            found += [
                {
                    "level": level,
                    "start": int(str(event.fields["start"])) / second,
                    "end": int(str(event.fields["end"])) / second,
                    "audio": _digest(event, "blob"),
                }
                for event in self._sounding(song, level)
            ]
        return found


def _heard(event: Event | None) -> dict[str, object]:
    """Return what a record says of something audible; None for all of it before it is there."""
    return {
        "preview": _digest(event, "preview"),
        "waveform": _digest(event, "waveform"),
        "spectrogram": _digest(event, "spectrogram"),
        "peaks": _field(event, "peaks", []),
        "lufs": _field(event, "lufs", None),
        "peak": _field(event, "peak", None),
    }


def _field(event: Event | None, name: str, default: Json) -> Json:
    return default if event is None else event.fields.get(name, default)


def _digest(event: Event | None, name: str) -> str | None:
    ref = None if event is None else event.fields.get(name)
    return str(ref["sha256"]) if isinstance(ref, dict) else None


def blob_sizes(picture: Picture) -> dict[str, int]:
    """Return digest → size of every sound and picture that a screen may ask for."""
    found: dict[str, int] = {}
    for event in picture.journal.events_of("candidate", "sounding"):
        for name in ("preview", "waveform", "spectrogram", "blob"):
            ref = event.fields.get(name)
            if isinstance(ref, dict):
                found[str(ref["sha256"])] = int(str(ref["size"]))
    return found
