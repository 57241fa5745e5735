"""What a listener gets: audio files, codes, pictures, one page, one manifest, under `export/`.

Everything here is made again from the store at any time; it is written once per choice of a take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from musiccore import audio, pictures
from musiccore.audio import Audio
from musiccore.codes import Codes
from musiccore.manifest import Deliverable, Manifest
from musiccore.records import Json, canonical_json
from musiccore.songpage import SongFile, SongPage, Track, song_page
from musiccore.storage import BlobRef
from musiccore.tags import write_tags
from tasks.codec import decoded_audio
from tasks.levels import codes_sha256
from tasks.policies import io_task
from tasks.resources import OpenRun, task_reporter, working
from tasks.runs import chosen_take, describe_run, last_export, program_versions
from tasks.sampling import level_codes

_LABELS = {"wav": "WAV, 24 bit", "flac": "FLAC, 24 bit", "mp3": "MP3"}


@io_task(task_run_name="publish-{run_id}")
def publish(run_id: str) -> dict[str, object]:
    """Write everything a listener gets, unless it lies there already.

    Args:
        run_id: the run.

    Returns:
        The run as it stands now.
    """
    with working(run_id) as run:
        inputs = delivery_digest(run)
        if not _is_delivered(run, inputs):
            task_reporter().say("writing audio, pictures and the song page")
            _deliver(run, inputs)
        from tasks.resources import shared_store

        return describe_run(shared_store(run.settings), run_id).to_json()


def delivery_digest(run: OpenRun) -> str:
    """Return the digest of everything that decides the delivered files."""
    take = chosen_take(run.journal)
    assert take is not None
    codes = [codes_sha256(level_codes(run, level)[take]) for level in range(run.config.levels)]
    return hashlib.sha256(
        canonical_json({"take": take, "codes": codes, "formats": list(run.request.formats)})
    ).hexdigest()


def _is_delivered(run: OpenRun, inputs: str) -> bool:
    export = last_export(run.journal)
    if export is None or export.fields.get("inputs") != inputs:
        return False
    files = export.fields.get("files")
    there = run.journal.store.list("export")
    return isinstance(files, list) and all(
        isinstance(file, dict) and there.get(str(file["path"])) == file["size"] for file in files
    )


def _deliver(run: OpenRun, inputs: str) -> None:
    store = run.journal.store
    master = audio.limit_peak(decoded_audio(run, 0))
    files: list[Deliverable] = []
    previews: dict[str, bytes] = {}
    for path, kind, data, pcm in _files(run, master):
        store.put(f"export/{path}", data)
        files.append(_deliverable(f"export/{path}", kind, data, pcm))
        if kind == "picture":
            previews[path] = data
    page = song_page(_page(run, master, previews, files)).encode()
    store.put("export/index.html", page)
    files.append(_deliverable("export/index.html", "page", page, None))
    manifest = _manifest(run, files).to_bytes()
    store.put("export/manifest.json", manifest)
    files.append(_deliverable("export/manifest.json", "manifest", manifest, None))
    best = next(file for file in files if file.kind == "master")
    run.journal.append(
        "exported",
        inputs=inputs,
        take=chosen_take(run.journal),
        files=[_file_json(file) for file in files],
        master={
            "path": best.path,
            "pcm_sha256": audio.pcm_sha256(master),
            "seconds": master.seconds,
            "sample_rate": master.sample_rate,
        },
    )


def _files(run: OpenRun, master: Audio) -> Iterator[tuple[str, str, bytes, str | None]]:
    """Yield path below export/, kind, bytes and PCM digest of every file but page and manifest."""
    pcm = audio.pcm_sha256(master)
    for kind in ("wav", *(kind for kind in run.request.formats if kind != "wav")):
        data = write_tags(audio.write(master, kind), provenance(run, level=0))
        yield f"master.{kind}", "master", data, pcm if kind != "mp3" else None
    yield "codes.npz", "codes", _codes(run).to_npz(), None
    for level in reversed(range(run.config.levels)):
        sound = decoded_audio(run, level)
        data = write_tags(audio.write(sound, "flac"), provenance(run, level=level))
        yield f"level_{level}.flac", "level", data, audio.pcm_sha256(sound)
        yield f"level_{level}_waveform.png", "picture", pictures.waveform(sound), None
        yield f"level_{level}_spectrogram.png", "picture", pictures.spectrogram(sound), None


def _codes(run: OpenRun) -> Codes:
    take = chosen_take(run.journal)
    assert take is not None
    levels = [level_codes(run, level)[take][None] for level in range(run.config.levels)]
    return Codes.of(levels, run.config.vqvae.name)


def provenance(run: OpenRun, *, level: int) -> dict[str, object]:
    """Return what goes into the metadata of audio: enough to make it again."""
    request, record, words = run.request, run.journal.record, run.request.conditioning
    take = chosen_take(run.journal)
    return {
        "title": song_title(run),
        "artist": words.artist,
        "genre": words.genre,
        "lyrics": words.lyrics,
        "licence": run.config.licence,
        "software": f"jukeflow {program_version()}",
        "run": run.run_id,
        "level": level,
        "take": 1 if take is None else take + 1,
        "seed": record.seed,
        "rng": record.rng,
        "model": request.model,
        "weights": dict(record.models),
        "numerics": {
            name: record.numerics.get(name) for name in ("device", "dtype", "threads", "torch")
        },
        "recipe_sha256": request.digest(),
        "recipe": request.model_dump(mode="json", exclude_defaults=True),
    }


def song_title(run: OpenRun) -> str:
    """Return what the song is called."""
    return run.request.title or run.run_id


def program_version() -> str:
    """Return the version of jukeflow."""
    try:
        return version("jukeflow")
    except PackageNotFoundError:
        return "unknown"


def _page(
    run: OpenRun, master: Audio, previews: dict[str, bytes], files: list[Deliverable]
) -> SongPage:
    request, words, config = run.request, run.request.conditioning, run.config.vqvae
    facts = provenance(run, level=0)
    wanted = ("run", "take", "seed", "rng", "model", "software", "recipe_sha256", "weights")
    described = [words.artist, words.genre, f"{master.seconds:.1f} s", request.model]
    codes = _codes(run)
    return SongPage(
        title=song_title(run),
        summary=" · ".join(part for part in described if part),
        master=Track(
            title="Song",
            audio=audio.write_preview(master),
            spectrogram=pictures.spectrogram(master),
            waveform=pictures.waveform(master),
        ),
        files=[
            SongFile(
                path=file.path.removeprefix("export/"),
                label=_LABELS[file.path.rsplit(".", 1)[1]] if file.kind == "master" else "Codes",
                n_bytes=file.size,
            )
            for file in files
            if file.kind in ("master", "codes")
        ],
        levels=[
            Track(
                title=f"Level {level}",
                note=f"hop length {config.hop_lengths[level]}, {codes.n_codes(level)} codes",
                audio=audio.write_preview(decoded_audio(run, level)),
                spectrogram=previews[f"level_{level}_spectrogram.png"],
                waveform=previews[f"level_{level}_waveform.png"],
            )
            for level in reversed(range(run.config.levels))
        ],
        lyrics=words.lyrics,
        recipe=request.model_dump(mode="json", exclude_defaults=True),
        provenance={name: facts[name] for name in wanted},
        licence=run.config.licence,
    )


def _manifest(run: OpenRun, files: list[Deliverable]) -> Manifest:
    record, take = run.journal.record, chosen_take(run.journal)
    assert take is not None
    return Manifest(
        run_id=run.run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        request_sha256=run.request.digest(),
        seed=record.seed,
        rng=record.rng,
        models=record.models,
        versions=program_versions(),
        licence=run.config.licence,
        inputs={
            f"codes_level_{level}": codes_sha256(level_codes(run, level)[take])
            for level in range(run.config.levels)
        },
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
