"""What travels in the metadata of audio: enough to make it again."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from musiccore.takes import Rendition
from tasks.resources import OpenRun


def provenance(
    run: OpenRun, *, take: int, song: Rendition | None = None, level: int | None = None
) -> dict[str, object]:
    """Return what goes into the metadata of audio.

    Args:
        run: that made it.
        take: its number.
        song: upsampling of the take; None for the take itself.
        level: of the codes; the top one by default.
    """
    tree, record = run.tree(), run.journal.record
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
        "software": f"jukeflow {program_version()}",
        "run": run.run_id,
        "level": run.config.levels - 1 if level is None else level,
        "take": take,
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
    if lineage:
        facts["parents"] = lineage
    if song is not None and song.version:
        facts["version"] = song.version
    return facts


def song_title(run: OpenRun, take: int) -> str:
    """Return what a take is called."""
    title = run.request.title or run.run_id
    name = run.tree().take(take).name
    return f"{title} ({name})" if name else title


def program_version() -> str:
    """Return the version of jukeflow."""
    try:
        return version("jukeflow")
    except PackageNotFoundError:
        return "unknown"
