"""Conditioning of a run: labels of every level, and the codes of the primer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from musiccore.codes import Codes
from musiccore.conditioning import Labeller, Labels, labellers
from musiccore.errors import Corrupt
from musiccore.records import Json
from musiccore.request import GenerationRequest
from musiccore.storage import BlobRef
from tasks.levels import CodeArray
from tasks.policies import gpu_task
from tasks.priming import primer_sound
from tasks.resources import OpenRun, task_reporter, working
from tasks.runs import Primer


@gpu_task(task_run_name="condition-{run_id}")
def condition(run_id: str) -> dict[str, object]:
    """Encode the primer of a run, once.

    Args:
        run_id: the run.

    Returns:
        The codes known at each level before sampling.
    """
    with working(run_id) as run:
        if run.request.has_primer and not run.journal.events_of("primer"):
            encode_primer(run)
        return {
            "known": [len(known_codes(run, level)) for level in range(run.config.levels)],
        }


def encode_primer(run: OpenRun) -> None:
    """Encode the primer's audio at all levels and record the codes.

    Raises:
        AudioError: if the primer cannot be read any more.
    """
    import torch

    expected = Primer.recorded(run.journal.record)
    assert expected is not None
    task_reporter().say("encoding the primer")
    sound, score = primer_sound(run.request, run.config, expected.n_samples, expected.sha256)
    samples = torch.from_numpy(sound.samples[None]).to(run.models.device)
    with torch.inference_mode():
        levels = [codes.cpu().numpy() for codes in run.models.vqvae().encode(samples)]
    blob = run.journal.put_blob(Codes.of(levels, run.config.vqvae.name).to_npz())
    fields: dict[str, Json] = {} if score is None else {"score": _kept(run, score)}
    run.journal.append(
        "primer",
        primer=Path(run.request.primer or "composed.mid").name,
        n_samples=expected.n_samples,
        blob=blob.to_json(),
        **fields,
    )


def _kept(run: OpenRun, score: bytes) -> Json:
    return run.journal.put_blob(score).to_json()


def primer_score(run: OpenRun) -> bytes | None:
    """Return the score that a run started from, as a MIDI file; None if it started from none."""
    for event in run.journal.events_of("primer"):
        if "score" in event.fields:
            return run.journal.get_blob(BlobRef.from_json(event.fields["score"]))
    return None


def known_codes(run: OpenRun, level: int) -> CodeArray:
    """Return the codes [n] of the primer at a level; none without a primer."""
    records = run.journal.events_of("primer")
    if not records:
        return np.zeros(0, dtype=np.int64)
    data = run.journal.get_blob(BlobRef.from_json(records[-1].fields.get("blob")))
    codes = Codes.from_npz(data).levels[level]
    if codes.shape[0] != 1:
        raise Corrupt(f"the primer holds {codes.shape[0]} takes, expected one")
    known: CodeArray = codes[0].astype(np.int64)
    return known


def piece_samples(run: OpenRun, request: GenerationRequest, top_codes: int) -> int:
    """Return the length label of a piece: what was asked for, or the piece if it grew longer.

    Args:
        run: the run.
        request: with the length of the whole piece.
        top_codes: top-level codes that there are.
    """
    return max(request.total_samples(run.config), top_codes * run.config.top.hop_length)


def labels_of(
    run: OpenRun, level: int, request: GenerationRequest, top_codes: int
) -> tuple[Labeller, Labels] | None:
    """Return the labeller of a level and the labels of the whole piece; None without labels."""
    makers = labellers(run.config, run.settings.labels, allow_unknown=request.allow_unknown)
    labeller, words = makers[level], request.conditioning
    if labeller is None:
        return None
    total = piece_samples(run, request, top_codes)
    return labeller, labeller.full(words.artist, words.genre, words.lyrics, total)
