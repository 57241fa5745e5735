"""Conditioning of a run: labels of every level, and the codes of the primer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from musiccore.audio.sound import Audio
from musiccore.errors import Corrupt
from musiccore.models.codes import Codes
from musiccore.models.labels import Labeller, Labels, labellers
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import Primer
from musiccore.runs.levels import CodeArray
from musiccore.runs.open_run import OpenRun
from musiccore.runs.primer import file_sha256, primer_piece, sound_of, starts_from_score
from musiccore.runs.primer_audio import play_primer
from musiccore.scores.midi import read_midi
from musiccore.storage.store import BlobRef


def keep_score(run: OpenRun) -> bool:
    """Compose or read the score that a run starts from, once, and keep it with the run.

    Args:
        run: the claimed run.

    Returns:
        Whether the run starts from a score.
    """
    expected = Primer.recorded(run.journal.record)
    begun = bool(run.journal.events_of("score", "primer"))
    if expected is not None and not begun and starts_from_score(run.request):
        record_score(run, _piece(run, expected))
    return bool(run.journal.events_of("score"))


def record_score(run: OpenRun, midi: bytes) -> None:
    """Keep the score that a run starts from, unless it is kept already.

    Args:
        run: the claimed run.
        midi: a MIDI file.
    """
    if not run.journal.events_of("score"):
        name = Path(run.request.primer or "composed.mid").name
        blob = run.journal.put_blob(midi)
        run.journal.append("score", name=name, blob=blob.to_json())


def condition(run: OpenRun) -> list[int]:
    """Encode the primer of a run, once; a score is played first.

    Args:
        run: the claimed run.

    Returns:
        How many codes are known at each level before sampling.
    """
    if run.request.has_primer and not run.journal.events_of("primer"):
        encode_primer(run)
    return [len(known_codes(run, level)) for level in range(run.config.levels)]


def encode_primer(run: OpenRun) -> None:
    """Encode the primer's audio at all levels and record the codes.

    Raises:
        AudioError: if the primer cannot be read any more.
    """
    import torch

    expected = Primer.recorded(run.journal.record)
    assert expected is not None
    run.say("encoding the primer")
    sound = _primer_sound(run, expected)
    samples = torch.from_numpy(sound.samples[None]).to(run.models.device)
    with torch.inference_mode():
        levels = [codes.cpu().numpy() for codes in run.models.vqvae().encode(samples)]
    blob = run.journal.put_blob(Codes.of(levels, run.config.vqvae.name).to_npz())
    run.journal.append(
        "primer",
        primer=Path(run.request.primer or "composed.mid").name,
        n_samples=expected.n_samples,
        blob=blob.to_json(),
    )


def _primer_sound(run: OpenRun, expected: Primer) -> Audio:
    """Return what the model hears of the primer: mono [1, n_samples] at its rate."""
    score = primer_score(run)
    if score is not None:
        return play_primer(read_midi(score), expected.n_samples, run.config)
    return sound_of(_piece(run, expected), run.config)


def _piece(run: OpenRun, expected: Primer) -> bytes:
    """Return what is used of the primer: as the run keeps it, else from its file.

    Raises:
        AudioError: if the run keeps none, and the file is gone or another one.
        Corrupt: if what the run keeps is damaged, and the file is gone or another one.
    """
    if expected.kept is not None:
        try:
            return run.journal.get_blob(expected.kept)
        except Corrupt:
            if file_sha256(Path(run.request.primer or "")) != expected.sha256:
                raise
    ffmpeg = run.machine.ffmpeg
    return primer_piece(run.request, run.config, expected.n_samples, expected.sha256, ffmpeg)


def primer_score(run: OpenRun) -> bytes | None:
    """Return the score that a run starts from, as a MIDI file; None if it starts from none."""
    for event in run.journal.events_of("score"):
        return run.journal.get_blob(BlobRef.from_json(event.fields.get("blob")))
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
    makers = labellers(run.config, run.machine.labels, allow_unknown=request.allow_unknown)
    labeller, words = makers[level], request.conditioning
    if labeller is None:
        return None
    total = piece_samples(run, request, top_codes)
    return labeller, labeller.full(words.artist, words.genre, words.lyrics, total)
