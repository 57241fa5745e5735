"""Codes → audio, one level at a time."""

from __future__ import annotations

import numpy as np

from musiccore import audio
from musiccore.audio import Audio
from musiccore.errors import Corrupt
from musiccore.records import Event
from musiccore.storage import BlobRef
from tasks.levels import CodeArray, codes_sha256
from tasks.policies import gpu_task
from tasks.resources import OpenRun, task_reporter, working
from tasks.runs import chosen_take
from tasks.sampling import level_codes


@gpu_task(task_run_name="decode-level-{level}")
def decode_level(run_id: str, level: int) -> dict[str, object]:
    """Decode the chosen take at one level, once; the top level with all its takes.

    Args:
        run_id: the run.
        level: level of the codes, 0 is the bottom.

    Returns:
        Number of each take, from 1 → digest of its samples.
    """
    with working(run_id) as run:
        found = {}
        for take, codes in level_codes(run, level).items():
            record = decoded(run, level, take) or _decode(run, level, take, codes)
            found[str(take + 1)] = record.fields.get("pcm_sha256")
        return {"level": level, "pcm_sha256": found}


def decoded(run: OpenRun, level: int, take: int) -> Event | None:
    """Return the record of a decoded take of a level, if its codes are still the same."""
    codes = level_codes(run, level).get(take)
    if codes is None:
        return None
    wanted = (level, take, codes_sha256(codes))
    for event in reversed(run.journal.events_of("decoded")):
        fields = event.fields
        if (fields.get("level"), fields.get("take"), fields.get("codes_sha256")) == wanted:
            return event
    return None


def decoded_audio(run: OpenRun, level: int, take: int | None = None) -> Audio:
    """Return the audio of a level, decoding it if its blob is damaged or missing.

    Args:
        run: the run.
        level: level of the codes.
        take: which take; the chosen one by default.
    """
    take = chosen_take(run.journal) if take is None else take
    assert take is not None
    record = decoded(run, level, take)
    codes = level_codes(run, level)[take]
    if record is None:
        record = _decode(run, level, take, codes)
    ref = BlobRef.from_json(record.fields.get("blob"))
    try:
        data = run.journal.get_blob(ref)
    except Corrupt:
        data = audio.write(decode_codes(run, level, codes), "wav")
        run.journal.heal_blob(ref, data)
    return audio.read(data)


def decode_codes(run: OpenRun, level: int, codes: CodeArray) -> Audio:
    """Decode codes [n] of one level to mono audio."""
    import torch

    config = run.config.vqvae
    with torch.inference_mode():
        batch = torch.from_numpy(codes[None]).to(run.models.device)
        samples = run.models.vqvae().decode(batch, level)[0].float().cpu().numpy()  # [1, T]
    return Audio(
        samples=np.ascontiguousarray(np.clip(samples, -1.0, 1.0), dtype=np.float32),
        sample_rate=config.sample_rate,
    )


def _decode(run: OpenRun, level: int, take: int, codes: CodeArray) -> Event:
    task_reporter().say(f"decoding level {level}")
    sound = decode_codes(run, level, codes)
    blob = run.journal.put_blob(audio.write(sound, "wav"))
    return run.journal.append(
        "decoded",
        level=level,
        take=take,
        codes_sha256=codes_sha256(codes),
        pcm_sha256=audio.pcm_sha256(sound),
        blob={"sha256": blob.sha256, "size": blob.size},
    )
