"""What travels in the metadata of audio: enough to make it again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.runs.conditioning import piece_samples, primer_score
from musiccore.runs.open_run import OpenRun
from musiccore.tags.software import software
from musiccore.takes.lineage import origin_json
from musiccore.takes.takes import Kept, Rendition

_LONGEST_SCORE = 64 * 1024  # bytes of MIDI that go into a file's metadata
_COMPUTED = ("batches", "windows", "primer", "pack")  # follow from the request, or stand elsewhere


def provenance(
    run: OpenRun,
    *,
    take: int,
    sound: Audio,
    song: Rendition | None = None,
    level: int | None = None,
    part: str = "",
    codes: Mapping[int, str],
) -> dict[str, object]:
    """Return what goes into the metadata of audio.

    Args:
        run: that made it.
        take: its number.
        sound: as it is delivered.
        song: upsampling of the take; None for the take itself.
        level: of the codes; the top one by default.
        part: "master", "level" or "take"; by default what the other arguments say.
        codes: level → sha256 of its codes; those of lower levels are left out.
    """
    tree, record = run.tree(), run.journal.record
    level = run.config.levels - 1 if level is None else level
    made_with = tree.rounds[tree.take(take).round].changes if song is None else song.changes
    request = tree.request(made_with)
    words = request.conditioning
    lineage = list(tree.ancestors(take))
    facts: dict[str, object] = {
        "title": song_title(run, take),
        "artist": words.artist,
        "genre": words.genre,
        "lyrics": words.lyrics,
        "licence": run.config.licence,
        "software": software(),
        "run": run.run_id,
        "part": part or ("take" if song is None else "level"),
        "level": level,
        "take": take,
        "seed": record.seed,
        "rng": record.rng,
        "model": request.model,
        "weights": dict(record.models),
        "numerics": {
            name: value for name, value in record.numerics.items() if name not in _COMPUTED
        },
        "recipe_sha256": request.digest(),
        "recipe": request.model_dump(mode="json", exclude_defaults=True),
        "codes": {str(one): digest for one, digest in codes.items() if one >= level},
        "pcm_sha256": audio.pcm_sha256(sound),
        "origin": {
            **origin_json(tree, take, song),
            "primer": record.numerics.get("primer"),
            **_score(run),
            "pack": record.numerics.get("pack"),
            "versions": dict(record.versions),
        },
    }
    if (sung := request.sung(run.config)) is not None:
        facts["sung"] = sung.to_json()
    if lineage:
        facts["parents"] = lineage
    changes = run.journal.events_of("numerics_change")
    if changes:  # by consent; the same request gives other codes elsewhere
        facts["numerics_changes"] = [dict(event.fields) for event in changes]
    if song is not None and song.version:
        facts["version"] = song.version
    if song is not None and song.kept is not None:
        facts["kept"] = _kept(run, song, song.kept)
    return facts


def _kept(run: OpenRun, song: Rendition, kept: Kept) -> dict[str, object]:
    """Return what a song keeps of an older one.

    The kept codes were sampled as part of a piece of another length, which a top prior is told; a
    fresh request for the longer song would give other ones.
    """
    tree = run.tree()
    older = tree.rendition(kept.song)
    rate = run.config.vqvae.sample_rate

    def total(one: Rendition) -> float:
        n_codes = tree.takes[one.take].n_codes
        return piece_samples(run, tree.work_request(one), n_codes) / rate

    return {
        "song": kept.song,
        "take": older.take,
        "seconds": tree.facts.seconds(kept.n_codes),
        "sampled_as_part_of_seconds": total(older),
        "total_seconds": total(song),
    }


def _score(run: OpenRun) -> dict[str, object]:
    """Return the score that a run starts from, so that its file is not needed again."""
    midi = primer_score(run)
    if midi is None or len(midi) > _LONGEST_SCORE:
        return {}
    return {"score": b64encode(midi).decode("ascii")}


def song_title(run: OpenRun, take: int) -> str:
    """Return what a take is called."""
    title = run.request.title or run.run_id
    name = run.tree().take(take).name
    return f"{title} ({name})" if name else title
