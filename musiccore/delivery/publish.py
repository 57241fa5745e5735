"""What a listener gets: audio files, codes, pictures, one page, one manifest, under `export/`.

Everything here is made again from the store at any time; it is written once per song.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.delivery.provenance import provenance, song_title
from musiccore.delivery.song_audio import FinishedSong
from musiccore.delivery.song_score import ROLL_FILE, SCORE_FILE, SongScore, starting_score
from musiccore.journal.manifest import Deliverable, Manifest
from musiccore.models.codes import Codes
from musiccore.pages import figures
from musiccore.pages.filenames import saved_name
from musiccore.pages.song import PlayerTrack, SongFile, SongPage, song_page
from musiccore.runs.create import program_versions
from musiccore.runs.deliveries import hurt_songs, lost_files
from musiccore.runs.open_run import OpenRun
from musiccore.storage.sealed import Json, canonical_json
from musiccore.storage.store import BlobRef
from musiccore.tags import write_tags
from musiccore.takes.takes import Rendition
from musiccore.timecode import length

_LABELS = {"wav": "WAV, 24 bit", "flac": "FLAC, 24 bit", "mp3": "MP3"}


def publish_song(finished: FinishedSong) -> bool:
    """Write everything a listener gets of a song, unless it lies there already.

    Args:
        finished: a song of a claimed run.

    Returns:
        Whether it was written now.
    """
    run, song = finished.run, finished.song
    with run.safe_stop():  # a signal inside an encoder would be lost
        inputs = delivery_digest(finished)
        if _is_delivered(run, song, inputs):
            return False
        again = "" if song.exported is None else " again, of which some were lost"
        run.say(f"writing audio, pictures and the song page{again}")
        seconds = _deliver(finished, inputs)
        place = run.journal.store.location(song_folder(run, run.tree().rendition(song.number)))
        run.tell(f"Delivered song {song.number}, {length(seconds)}, to {place}.")
        return True


def lost_songs(run: OpenRun) -> list[int]:
    """Return the delivered songs of which a file is gone or damaged.

    Args:
        run: the claimed run.
    """
    return list(hurt_songs(run.journal, run.tree()))


def delivery_digest(finished: FinishedSong) -> str:
    """Return the digest of everything that decides the delivered files."""
    codes = list(finished.digests().values())
    formats = list(finished.run.request.formats)
    facts = {"song": finished.song.number, "codes": codes, "formats": formats}
    return hashlib.sha256(canonical_json(facts)).hexdigest()


def song_folder(run: OpenRun, song: Rendition) -> str:
    """Return where a song is delivered: the first one of a run directly in `export`."""
    if song.exported is not None:
        return str(song.exported.fields["folder"])
    taken = {event.fields.get("folder") for event in run.journal.events_of("exported")}
    if "export" not in taken:
        return "export"
    return f"export/take-{song.take}" + (f"-{song.version + 1}" if song.version else "")


def _is_delivered(run: OpenRun, song: Rendition, inputs: str) -> bool:
    export = song.exported
    if export is None or export.fields.get("inputs") != inputs:
        return False
    return not lost_files(run.journal.store, export)


def _deliver(finished: FinishedSong, inputs: str) -> float:
    """Write the files of a song and record them; return its length in seconds."""
    run, song = finished.run, finished.song
    store, folder = run.journal.store, song_folder(run, song)
    master = audio.limit_peak(finished.audio(0))
    files: list[Deliverable] = []
    previews: dict[str, bytes] = {}
    score = run.extra("the score beside the song", lambda: starting_score(run, song))
    for name, kind, data, pcm in _files(finished, master, score):
        path = f"{folder}/{name}"
        store.put(path, data)
        files.append(_deliverable(path, kind, data, pcm))
        if kind == "picture":
            previews[name] = data
    page = run.extra(
        "the song page",
        lambda: song_page(_page(finished, master, score, previews, files, folder)).encode(),
    )
    if page is not None:
        store.put(f"{folder}/index.html", page)
        files.append(_deliverable(f"{folder}/index.html", "page", page, None))
    manifest = _manifest(finished, files).to_bytes()
    store.put(f"{folder}/manifest.json", manifest)
    files.append(_deliverable(f"{folder}/manifest.json", "manifest", manifest, None))
    best = next(file for file in files if file.kind == "master")
    run.journal.append(
        "exported",
        inputs=inputs,
        rendition=song.number,
        take=song.take,
        folder=folder,
        files=[_file_json(file) for file in files],
        master={
            "path": best.path,
            "pcm_sha256": audio.pcm_sha256(master),
            "seconds": master.seconds,
            "sample_rate": master.sample_rate,
        },
    )
    return master.seconds


def _files(
    finished: FinishedSong, master: Audio, score: SongScore | None
) -> Iterator[tuple[str, str, bytes, str | None]]:
    """Yield name, kind, bytes and PCM digest of every file but page and manifest."""
    run, song = finished.run, finished.song
    pcm, codes = audio.pcm_sha256(master), finished.digests()
    for kind in ("wav", *(kind for kind in run.request.formats if kind != "wav")):
        facts = provenance(
            run, take=song.take, sound=master, song=song, level=0, part="master", codes=codes
        )
        data = write_tags(audio.write(master, kind), facts)
        yield f"master.{kind}", "master", data, pcm if kind != "mp3" else None
    yield "codes.npz", "codes", _codes(finished).to_npz(), None
    for level in reversed(range(run.config.levels)):
        sound = finished.audio(level)
        facts = provenance(run, take=song.take, sound=sound, song=song, level=level, codes=codes)
        data = write_tags(audio.write(sound, "flac"), facts)
        yield f"level_{level}.flac", "level", data, audio.pcm_sha256(sound)
        for kind, draw in (("waveform", figures.waveform), ("spectrogram", figures.spectrogram)):
            picture = run.extra(f"the {kind} of level {level}", partial(draw, sound))
            if picture is not None:
                yield f"level_{level}_{kind}.png", "picture", picture, None
    if score is not None:
        yield SCORE_FILE, "score", score.midi, None
        roll = run.extra("the piano roll of the score", score.roll)
        if roll is not None:
            yield ROLL_FILE, "picture", roll, None


def _codes(finished: FinishedSong) -> Codes:
    config = finished.run.config
    levels = [finished.level(level)[None] for level in range(config.levels)]
    return Codes.of(levels, config.vqvae.name)


def _page(
    finished: FinishedSong,
    master: Audio,
    score: SongScore | None,
    previews: dict[str, bytes],
    files: list[Deliverable],
    folder: str,
) -> SongPage:
    run, song = finished.run, finished.song
    request, config = run.tree().work_request(song), run.config.vqvae
    words, sung = request.conditioning, request.sung(run.config)
    digests = finished.digests()
    facts = provenance(run, take=song.take, sound=master, song=song, level=0, codes=digests)
    wanted = (
        *("run", "take", "parents", "version", "seed", "rng"),
        *("model", "software", "recipe_sha256", "weights"),
    )
    described = [words.artist, words.genre, f"{master.seconds:.1f} s", request.model]
    codes, take = _codes(finished), run.tree().take(song.take)
    title, detail = run.request.title or run.run_id, take.name or f"take {take.number}"
    detail += f", version {song.version + 1}" if song.version else ""
    return SongPage(
        title=song_title(run, song.take),
        summary=" · ".join(part for part in described if part),
        master=PlayerTrack(
            title="Song",
            audio=audio.write_preview(master),
            spectrogram=run.extra("the song's spectrogram", lambda: figures.spectrogram(master)),
            waveform=run.extra("the song's waveform", lambda: figures.waveform(master)),
        ),
        files=[
            SongFile(
                path=file.path.removeprefix(f"{folder}/"),
                label=_LABELS[file.path.rsplit(".", 1)[1]] if file.kind == "master" else "Codes",
                n_bytes=file.size,
                saved=saved_name(title, detail, kind=file.path.rpartition(".")[2]),
            )
            for file in files
            if file.kind in ("master", "codes")
        ],
        saved=saved_name(title, detail, kind="mp3"),
        score=None
        if score is None
        else run.extra(
            "the score on the page", lambda: score.on_page(master, previews.get(ROLL_FILE))
        ),
        levels=[
            PlayerTrack(
                title=f"Level {level}",
                note=f"hop length {config.hop_lengths[level]}, {codes.n_codes(level)} codes",
                audio=audio.write_preview(finished.audio(level)),
                spectrogram=previews.get(f"level_{level}_spectrogram.png"),
                waveform=previews.get(f"level_{level}_waveform.png"),
            )
            for level in reversed(range(run.config.levels))
        ],
        lyrics=words.lyrics,
        sung=() if sung is None else sung.sentences(),
        recipe=request.model_dump(mode="json", exclude_defaults=True),
        provenance={name: facts[name] for name in wanted if name in facts},
        licence=run.config.licence,
    )


def _manifest(finished: FinishedSong, files: list[Deliverable]) -> Manifest:
    run, song = finished.run, finished.song
    record = run.journal.record
    return Manifest(
        run_id=run.run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        request_sha256=run.tree().work_request(song).digest(),
        seed=record.seed,
        rng=record.rng,
        models=record.models,
        versions=program_versions(),
        licence=run.config.licence,
        inputs={f"codes_level_{level}": sha256 for level, sha256 in finished.digests().items()},
        outputs=tuple(files),
    )


def _deliverable(path: str, kind: str, data: bytes, pcm: str | None) -> Deliverable:
    ref = BlobRef.of(data)
    return Deliverable(path=path, kind=kind, sha256=ref.sha256, size=ref.size, pcm_sha256=pcm)


def _file_json(file: Deliverable) -> dict[str, Json]:
    return {
        "path": file.path,
        "kind": file.kind,
        "sha256": file.sha256,
        "size": file.size,
        "pcm_sha256": file.pcm_sha256,
    }
