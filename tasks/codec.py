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
from musiccore.storage.store import BlobRef
from musiccore.takes.takes import Rendition
from tasks.decoding import decode_codes
from tasks.levels import CodeArray, codes_sha256
from tasks.policies import gpu_task
from tasks.resources import OpenRun, safe_stop, task_reporter, working
from tasks.sampling import song_codes, take_codes

CROSSFADE_SECONDS: Final = 0.02


@gpu_task(task_run_name="decode-level-{level}")
def decode_song(run_id: str, number: int, level: int) -> dict[str, object]:
    """Decode one level of a song, once.

    Args:
        run_id: the run.
        number: of the song (rendition).
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the samples.
    """
    with working(run_id) as run, safe_stop():  # a signal inside an encoder would be lost
        sound = song_audio(run, run.tree().rendition(number), level)
        return {"level": level, "pcm_sha256": audio.pcm_sha256(sound)}


def song_audio(run: OpenRun, song: Rendition, level: int) -> Audio:
    """Return what one level of a song sounds like; decoded once and kept.

    A song that redoes a stretch of another one differs from it in that stretch only, and for a
    moment on both sides, where one fades into the other.
    """
    codes = song_codes(run, song, level)
    if not song.base or level == run.config.levels - 1:
        return kept_audio(run, level, song.row, codes)
    base = run.tree().rendition(song.base)
    hop = run.config.priors[level].hop_length
    start, end = (run.codes_at(level, code) * hop for code in (song.start, song.end))

    def mixed() -> Audio:
        fade = round(CROSSFADE_SECONDS * run.config.vqvae.sample_rate)
        new = decode_codes(run, level, codes)
        return replace_range(song_audio(run, base, level), new, start, end, fade)

    return kept_audio(run, level, song.row, codes, mixed)


def take_audio(run: OpenRun, take: int) -> Audio:
    """Return what a take sounds like at the top level; decoded once and kept."""
    return kept_audio(run, run.config.levels - 1, take - 1, take_codes(run, take))


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
    make = make or (lambda: decode_codes(run, level, codes))
    record = _decoded(run, level, row, codes)
    if record is None:
        task_reporter().say(f"decoding level {level}")
        sound = make()
        blob = run.journal.put_blob(audio.write(sound, "wav"))
        run.journal.append(
            "decoded",
            level=level,
            take=row,
            codes_sha256=codes_sha256(codes),
            pcm_sha256=audio.pcm_sha256(sound),
            blob=blob.to_json(),
        )
        return read(audio.write(sound, "wav"))
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
    return decode_codes(run, level, codes)


def _decoded(run: OpenRun, level: int, row: int, codes: CodeArray) -> Event | None:
    wanted = (level, row, codes_sha256(codes))
    for event in reversed(run.journal.events_of("decoded")):
        fields = event.fields
        if (fields.get("level"), fields.get("take"), fields.get("codes_sha256")) == wanted:
            return event
    return None
