"""Artist, genre, lyrics and timing → the label vector of each window.

Three sets of rules: `v2` (5b, 5b_lyrics and both released upsamplers), `v3` (the 1b_lyrics top
prior) and `nano` (our own models: words like v2, lyrics like v3).

Paper: "Artist, genre, and timing conditioning", "Lyrics conditioning".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiccore.errors import ConditioningError
from musiccore.models.config import ModelConfig, PriorConfig
from musiccore.models.label_tables import EMPTY_SLOT, NANO_TABLES, UNKNOWN, LabelTables, id_in
from musiccore.models.lyrics import (
    check_lyrics,
    clean_lyrics,
    lyrics_text,
    lyrics_tokens,
    lyrics_window,
    transliterate,
    transliterator_name,
    unknown_characters,
    vocabulary,
)

__all__ = [
    "EMPTY_SLOT",
    "NANO_TABLES",
    "UNKNOWN",
    "LabelTables",
    "Labeller",
    "Labels",
    "check_lyrics",
    "clean_lyrics",
    "labellers",
    "lyrics_text",
    "lyrics_tokens",
    "lyrics_window",
    "transliterate",
    "transliterator_name",
    "unknown_characters",
    "vocabulary",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of one item for one prior.

    Attributes:
        vector: int64 [label_length]: total length, offset and window length in samples, artist id,
            genre ids (-1 = empty), lyrics tokens of the first window.
        all_lyrics_tokens: tokens of the whole lyrics.
        lyrics: the cleaned lyrics, one character per token.
        unknown: names and characters that were asked for and have no id or token here.
    """

    vector: npt.NDArray[np.int64]
    all_lyrics_tokens: tuple[int, ...]
    lyrics: str = ""
    unknown: tuple[str, ...] = ()


class Labeller:
    """Makes the label vectors of one prior.

    Args:
        prior: the prior that reads the labels.
        tables: artist and genre ids under the rules of this prior.
        allow_unknown: map unknown names to "unknown" and drop unknown characters, as the released
            program does, instead of refusing them.
        request_tables: tables that the request was written for, when this prior has other rules:
            numbers are ids of those tables, and a name that only they know is accepted. None if
            they are the same.
    """

    def __init__(
        self,
        prior: PriorConfig,
        tables: LabelTables,
        *,
        allow_unknown: bool = False,
        request_tables: LabelTables | None = None,
    ) -> None:
        if prior.labels is None:
            raise ConditioningError(f"prior {prior.name} takes no labels")
        if tables.rules != prior.labels.rules:
            raise ConditioningError(
                f"prior {prior.name} has label rules {prior.labels.rules}, "
                f"the tables have {tables.rules}"
            )
        self._prior = prior
        self._config = prior.labels
        self._tables = tables
        same = request_tables is None or request_tables.rules == tables.rules
        self._foreign = None if same else request_tables
        self._lenient = allow_unknown or not same

    def full(
        self, artist: str, genre: str, lyrics: str, total_samples: int, offset_samples: int = 0
    ) -> Labels:
        """Return the labels of an item at an offset.

        Args:
            artist: name, or `#123` for an id; empty for unknown.
            genre: words (v2, nano) or one name (v3), or `#123`; empty for unknown.
            lyrics: the whole lyrics, empty for none.
            total_samples: length of the whole piece, in samples.
            offset_samples: where the window starts, in samples.

        Raises:
            ConditioningError: if a name is unknown, there are too many genre words, lyrics hold
                characters outside the vocabulary, or the offset is outside the piece.

        Paper: "Artist, genre, and timing conditioning".
        """
        rules = self._config.rules
        unknown: list[str] = []
        artist_id = self._artist(artist, unknown)
        genre_ids = self._genres(genre, unknown)
        if self._prior.lyrics is not None:
            if not self._lenient:
                check_lyrics(lyrics, rules)
            unknown.extend(unknown_characters(lyrics, rules))
        clean = clean_lyrics(lyrics, rules)
        known = vocabulary(rules)
        return self._assemble(
            [artist_id, *genre_ids],
            tuple(known[c] for c in clean),
            total_samples,
            offset_samples,
            lyrics=clean,
            unknown=tuple(unknown),
        )

    def unknown_names(self, artist: str, genre: str) -> dict[str, tuple[str, ...]]:
        """Return the names that stand for "unknown" here, by field; fields without one are absent.

        Raises:
            ConditioningError: if a name is unknown and unknown names are refused.
        """
        artists: list[str] = []
        genres: list[str] = []
        self._artist(artist, artists)
        self._genres(genre, genres)
        found = {"artist": tuple(artists), "genre": tuple(genres)}
        return {name: words for name, words in found.items() if words}

    def from_ids(
        self,
        artist_id: int,
        genre_ids: Sequence[int],
        lyrics_tokens: Sequence[int],
        total_samples: int,
        offset_samples: int = 0,
    ) -> Labels:
        """Return labels from ids; `lyrics_tokens` are all tokens of the lyrics."""
        if len(genre_ids) > self._config.genre_slots:
            raise self._too_many_genres(len(genre_ids))
        padding = [EMPTY_SLOT] * (self._config.genre_slots - len(genre_ids))
        return self._assemble(
            [artist_id, *genre_ids, *padding], tuple(lyrics_tokens), total_samples, offset_samples
        )

    def window_labels(
        self, labels: Labels, start_codes: int
    ) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
        """Return the label vector of the window that starts at a code, and its lyrics.

        Args:
            labels: of the item, as `full` gave them.
            start_codes: first code of the window at this level.

        Returns:
            int64 [label_length], and the index in the whole lyrics of each lyrics token (-1 for
            padding).

        Raises:
            ConditioningError: if the window starts outside the piece and lyrics have to be cut.

        Paper: "Lyrics conditioning". Deviation: none; like the released program, windows are cut in
        float32 during sampling.
        """
        vector = labels.vector.copy()
        window = self._prior.window_samples
        total, offset = int(vector[0]), int(vector[1]) + start_codes * self._prior.hop_length
        tokens, indices = lyrics_window(
            labels.all_lyrics_tokens,
            self._prior.n_lyrics_tokens,
            total,
            offset,
            window,
            single_precision=True,
        )
        vector[1], vector[2] = offset, window
        if tokens:
            vector[-len(tokens) :] = tokens
        return vector, indices

    def _assemble(
        self,
        ids: Sequence[int],
        all_tokens: tuple[int, ...],
        total_samples: int,
        offset_samples: int,
        *,
        lyrics: str = "",
        unknown: tuple[str, ...] = (),
    ) -> Labels:
        window = self._prior.window_samples
        tokens, _ = lyrics_window(
            all_tokens, self._prior.n_lyrics_tokens, total_samples, offset_samples, window
        )
        vector = np.array(
            [total_samples, offset_samples, window, *ids, *tokens], dtype=np.int64
        )  # [label_length]
        return Labels(vector=vector, all_lyrics_tokens=all_tokens, lyrics=lyrics, unknown=unknown)

    def _artist(self, name: str, unknown: list[str]) -> int:
        number = id_in(name)
        if number is not None and self._foreign is not None:
            name, number = self._foreign.artist_name(number), None
        if number is not None:
            return self._checked("artist", number, self._config.n_artists)
        found = self._tables.artist_id(name)
        return self._known("artist", name, found, unknown)

    def _genres(self, name: str, unknown: list[str]) -> list[int]:
        number = id_in(name)
        if number is not None and self._foreign is not None:
            name = self._foreign.genre_name([number])
        words = self._tables.genre_ids(name)
        slots = self._config.genre_slots
        if len(words) > slots:
            if self._foreign is None:
                raise self._too_many_genres(len(words))
            words = words[:slots]  # the name is one genre of the request's own tables
        ids = [
            self._checked(
                "genre", self._known("genre", word, found, unknown), self._config.n_genres
            )
            for word, found in words
        ]
        return ids + [EMPTY_SLOT] * (slots - len(ids))

    def _too_many_genres(self, n: int) -> ConditioningError:
        slots = self._config.genre_slots
        return ConditioningError(
            f"genre has {n} words; model prior {self._prior.name} takes at most {slots}",
            hint="keep the words that matter most",
        )

    def _checked(self, kind: str, number: int, n: int) -> int:
        if not 0 <= number < n:
            raise ConditioningError(f"{kind} is #{number}; ids of this model are #0 to #{n - 1}")
        return number

    def _known(self, kind: str, name: str, found: int | None, unknown: list[str]) -> int:
        if found is not None:
            return found
        if not self._lenient:
            if self._tables.absent:
                raise ConditioningError(
                    f"{kind} is {name!r}; names need the {self._tables.rules} label tables, which "
                    "are not part of jukeflow",
                    hint="give the folder of your copy as {label_tables}, or an id such as #12",
                )
            nearest = self._tables.nearest(name, kind)
            known = ", ".join(repr(n) for n in nearest)
            raise ConditioningError(
                f"{kind} is {name!r}, which the model does not know"
                + (f"; nearest: {known}" if nearest else ""),
                hint=f"use a known name, leave {{{kind}}} empty, or set {{allow_unknown}}",
            )
        unknown.append(name)
        return UNKNOWN


def labellers(
    config: ModelConfig,
    label_tables: Path | None = None,
    *,
    allow_unknown: bool = False,
    verify: bool = True,
) -> tuple[Labeller | None, ...]:
    """Return the labeller of each level of a model, level 0 first; None for priors without labels.

    The request is written for the top prior: an unknown name is an error there, and maps to
    "unknown" in a lower prior that has other tables.

    Args:
        config: the model.
        label_tables: folder with the user's copy of the v2 and v3 tables.
        allow_unknown: as for `Labeller`.
        verify: refuse tables that differ from the published ones.

    Raises:
        ConditioningError: if a table cannot be read.
    """
    rules = {prior.labels.rules for prior in config.priors if prior.labels is not None}
    tables = {r: LabelTables.for_rules(r, label_tables, verify=verify) for r in rules}
    top = config.top.labels
    asked = None if top is None else tables[top.rules]
    return tuple(
        None
        if prior.labels is None
        else Labeller(
            prior, tables[prior.labels.rules], allow_unknown=allow_unknown, request_tables=asked
        )
        for prior in config.priors
    )
