"""Which finished codes a longer song keeps: those of a song of the take that it goes on from.

A continuation shares its beginning with the take that it continues. Where that take was upsampled,
its codes of all levels are there and paid for, and people have heard them: they stay as they are.

Paper: the published notebook on co-composition, which continues from the codes of all levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from musiccore.takes.choice import Changes
from musiccore.takes.takes import Kept, Rendition, Round, Span, Take


def beginnings(rounds: Mapping[int, Round], takes: Mapping[int, Take], take: int) -> Iterator[Span]:
    """Yield what a take begins with, nearest first: stretches of the takes that it goes on from.

    A cut lies inside its take; of stretches that were joined only the first one is at the
    beginning.

    Args:
        rounds: of the run, by number.
        takes: of the run, by number.
        take: its number.
    """
    start, n_codes = 0, takes[take].n_codes
    while True:
        one = rounds[takes[take].round]
        if one.parts:
            before = 0
            for part in one.parts:
                length = part.end - part.start
                if start < before + length:
                    n_codes = min(n_codes, before + length - start)
                    take, start = part.take, part.start + start - before
                    break
                before += length
        elif one.parent:
            take, n_codes = one.parent, min(n_codes, one.known - start)
        else:
            return
        if n_codes <= 0:
            return
        yield Span(take=take, start=start, end=start + n_codes)


def kept(
    rounds: Mapping[int, Round], takes: Mapping[int, Take], take: int, song: Rendition
) -> Kept | None:
    """Return what a new song of a take keeps of an older song; None if they share nothing."""
    for span in beginnings(rounds, takes, take):
        if span.take == song.take:
            return Kept(song=song.number, start=span.start, n_codes=span.end - span.start)
    return None


def kept_of(
    rounds: Mapping[int, Round],
    takes: Mapping[int, Take],
    take: int,
    songs: Sequence[Rendition],
    number: int,
) -> Kept | None:
    """Return what a new song of a take keeps of a song by its number.

    None if a choice names none (0), or one that is lost.
    """
    return kept(rounds, takes, take, songs[number - 1]) if 1 <= number <= len(songs) else None


def alike_songs(songs: Sequence[Rendition], changes: Changes, keep: Kept | None) -> list[Rendition]:
    """Return the songs of a take that are upsamplings of all of it under the same conditions.

    Args:
        songs: of the take.
        changes: conditioning and sampling that differ from the run's request.
        keep: what they keep of an older song.
    """
    return [
        song for song in songs if not song.base and (song.changes, song.kept) == (changes, keep)
    ]


def song_to_keep(
    rounds: Mapping[int, Round],
    takes: Mapping[int, Take],
    songs: Mapping[int, Sequence[Rendition]],
    take: int,
) -> Rendition | None:
    """Return the song whose codes a new song of a take keeps; None if there is none.

    It is the newest one of the nearest take that was upsampled; one that is finished goes before
    one that waits for its turn.
    """
    for span in beginnings(rounds, takes, take):
        found = songs.get(span.take, ())
        if found:
            return max(found, key=lambda song: (song.exported is not None, song.number))
    return None
