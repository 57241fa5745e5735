"""Codes → audio, recorded once per codes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.audio.splicing import replace_range
from musiccore.conversion.memory import read
from musiccore.errors import Corrupt, StorageError
from musiccore.journal.records import Event
from musiccore.runs.levels import CodeArray, codes_sha256
from musiccore.runs.open_run import OpenRun
from musiccore.runs.run_codes import RunCodes, SongCodes
from musiccore.storage.store import BlobRef
from musiccore.takes.takes import Rendition

CROSSFADE_SECONDS: Final = 0.02


class FinishedSong(SongCodes):
    """The codes and the sound of one song, read once for everything that is made of them."""

    def __init__(self, run: OpenRun, song: Rendition) -> None:
        super().__init__(run, song)
        self._audio: dict[int, Audio] = {}

    def audio(self, level: int) -> Audio:
        """Return what a level sounds like; decoded once and kept in the store.

        Raises:
            NotFound: if the level is not finished.
        """
        if level not in self._audio:
            self._audio[level] = _song_audio(self.run, self.song, level, self.finished)
        return self._audio[level]


def decode_song(song: FinishedSong, level: int) -> dict[str, object]:
    """Decode one level of a song, once.

    Args:
        song: of a claimed run.
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the samples.
    """
    with song.run.safe_stop():  # a signal inside an encoder would be lost
        return {"level": level, "pcm_sha256": audio.pcm_sha256(song.audio(level))}


def _song_audio(run: OpenRun, song: Rendition, level: int, finished: RunCodes) -> Audio:
    """Return what one level of a song sounds like.

    A song that redoes a stretch of another one differs from it in that stretch only, and for a
    moment on both sides, where one fades into the other.
    """
    codes = finished.song(song, level)
    if not song.base or level == run.config.levels - 1:
        return kept_audio(run, level, song.row, codes)
    base = run.tree().rendition(song.base)
    hop = run.config.priors[level].hop_length
    start, end = (run.codes_at(level, code) * hop for code in (song.start, song.end))

    def mixed() -> Audio:
        fade = round(CROSSFADE_SECONDS * run.config.vqvae.sample_rate)
        new, whole = run.decode(level, codes), _song_audio(run, base, level, finished)
        return replace_range(whole, new, start, end, fade)

    return kept_audio(run, level, song.row, codes, mixed)


def take_audio(run: OpenRun, take: int, codes: CodeArray) -> Audio:
    """Return what a take sounds like at the top level; decoded once and kept.

    Args:
        run: the claimed run.
        take: its number.
        codes: [n] of its top level.
    """
    return kept_audio(run, run.config.levels - 1, take - 1, codes)


def kept_audio(
    run: OpenRun,
    level: int,
    row: int,
    codes: CodeArray,
    make: Callable[[], Audio] | None = None,
) -> Audio:
    """Return the audio of codes, from the store where it is there and whole.

    Args:
        run: the claimed run.
        level: of the codes.
        row: number that tells several uses of one level apart.
        codes: [n].
        make: makes the audio; decodes the codes by default.
    """
    make = make or (lambda: run.decode(level, codes))
    record = _decoded(run, level, row, codes)
    if record is None:
        run.say(f"decoding level {level}")
        sound = make()
        data = audio.write(sound, "wav")
        blob = run.journal.put_blob(data)
        run.journal.append(
            "decoded",
            level=level,
            take=row,
            codes_sha256=codes_sha256(codes),
            pcm_sha256=audio.pcm_sha256(sound),
            blob=blob.to_json(),
        )
        return read(data)
    ref = BlobRef.from_json(record.fields.get("blob"))
    try:
        data = run.journal.get_blob(ref)
    except Corrupt:
        data = audio.write(make(), "wav")
        run.journal.heal_blob(ref, data)
    return read(data)


def found_audio(run: OpenRun, level: int, row: int, codes: CodeArray) -> Audio:
    """Return the audio of codes without writing anything: what was kept of it, or decoded now.

    Args:
        run: a run that this process need not have claimed.
        level: of the codes.
        row: as for `kept_audio`.
        codes: [n].
    """
    record = _decoded(run, level, row, codes)
    if record is not None:
        with suppress(StorageError):
            return read(run.journal.get_blob(BlobRef.from_json(record.fields.get("blob"))))
    return run.decode(level, codes)


def _decoded(run: OpenRun, level: int, row: int, codes: CodeArray) -> Event | None:
    wanted = (level, row, codes_sha256(codes))
    for event in reversed(run.journal.events_of("decoded")):
        fields = event.fields
        if (fields.get("level"), fields.get("take"), fields.get("codes_sha256")) == wanted:
            return event
    return None
