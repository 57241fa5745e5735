"""Conditioning of a run: labels of every level, and the codes of the primer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from musiccore import audio
from musiccore.codes import Codes
from musiccore.conditioning import Labeller, Labels, labellers
from musiccore.errors import AudioError, Corrupt
from musiccore.request import GenerationRequest
from musiccore.storage import BlobRef
from tasks.levels import CodeArray
from tasks.policies import gpu_task
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
        if run.request.primer and not run.journal.events_of("primer"):
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

    request, config = run.request, run.config.vqvae
    assert request.primer is not None
    task_reporter().say("encoding the primer")
    path, expected = Path(request.primer), Primer.recorded(run.journal.record)
    data = path.read_bytes() if path.is_file() else b""
    if expected is None or hashlib.sha256(data).hexdigest() != expected.sha256:
        raise AudioError(
            f"primer {request.primer!r} is missing, or not the file that the run began with",
            hint="put the file back where it was, or start another run",
        )
    sound = audio.resample(audio.to_mono(audio.read(data)), config.sample_rate)
    n_samples = expected.n_samples
    samples = torch.from_numpy(sound.samples[None, :, :n_samples]).to(run.models.device)
    with torch.inference_mode():
        levels = [codes.cpu().numpy() for codes in run.models.vqvae().encode(samples)]
    blob = run.journal.put_blob(Codes.of(levels, config.name).to_npz())
    run.journal.append(
        "primer",
        primer=path.name,
        n_samples=n_samples,
        blob={"sha256": blob.sha256, "size": blob.size},
    )


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
