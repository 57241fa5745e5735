"""The weights in the repository: they load, they fit the size, and they carry music.

`jukeflow evaluate nano` measures every gate on all held-out pieces; this is the short form of those
that matter most, on two pieces.
"""

from dataclasses import replace

import numpy as np
import pytest

from musiccore.audio.measures import chroma_correlation, longest_silence, tuned
from musiccore.errors import CheckpointError
from musiccore.evaluation.codec import reconstruct
from musiccore.evaluation.gates import Gate
from musiccore.evaluation.generation import LevelCascade, cascade_gates, generated_gates
from musiccore.evaluation.nano_gates import load_nano, weights_folder
from musiccore.models.nano import HELD_OUT, nano
from musiccore.scores.notation import read_chorale
from musiccore.training.code_windows import EncodedClip, encode_audio
from musiccore.training.data import Clip, play

NAMES = HELD_OUT[7:10]


@pytest.fixture(scope="module")
def chain() -> LevelCascade:
    vqvae, priors = load_nano()
    return LevelCascade(config=nano(), vqvae=vqvae, priors=priors)


@pytest.fixture(scope="module")
def audio() -> dict[str, np.ndarray]:
    return {name: play(read_chorale(name).in_c_or_a()) for name in NAMES}


@pytest.fixture(scope="module")
def clips(chain: LevelCascade, audio: dict[str, np.ndarray]) -> list[EncodedClip]:
    return [
        EncodedClip(
            clip=Clip(piece=name, mode="major", start=0, stop=len(samples)),
            codes=tuple(encode_audio(chain.vqvae, samples, level) for level in range(3)),
        )
        for name, samples in audio.items()
    ]


def test_all_weights_are_at_most_24_megabytes() -> None:
    files = sorted(path.name for path in weights_folder().iterdir())
    assert files == [
        "prior_level_0.safetensors",
        "prior_level_1.safetensors",
        "prior_level_2.safetensors",
        "vqvae.safetensors",
    ]
    assert sum(path.stat().st_size for path in weights_folder().iterdir()) <= 24_000_000


def test_a_folder_without_weights_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="jukeflow train nano"):
        load_nano(tmp_path)


@pytest.mark.parametrize(("level", "least"), [(0, 0.95), (1, 0.9), (2, 0.85)])
def test_each_level_reconstructs_the_harmony(
    chain: LevelCascade, audio: dict[str, np.ndarray], level: int, least: float
) -> None:
    first, second = (samples[16_000 : 16_000 + 65_536] for samples in list(audio.values())[:2])
    made = reconstruct(chain.vqvae, first, level)
    assert chroma_correlation(first, made, 16_000) > least
    assert chroma_correlation(second, made, 16_000) < 0.6  # the control: another piece


@pytest.mark.whole
def test_real_top_codes_keep_their_harmony_through_both_upsamplers(
    chain: LevelCascade, clips: list[EncodedClip], audio: dict[str, np.ndarray]
) -> None:
    (gate,) = cascade_gates(chain, clips[:2], audio)
    assert gate.passed, gate.as_json()
    assert gate.value > gate.controls["another piece"] + 0.15


@pytest.mark.whole
def test_generated_music_is_in_tune_and_never_silent(
    chain: LevelCascade, clips: list[EncodedClip], audio: dict[str, np.ndarray]
) -> None:
    gates = {g.gate: g for g in generated_gates(chain, clips[:2], audio)}
    assert gates["generated: tuned"].passed, gates["generated: tuned"].as_json()
    assert gates["generated: longest silence"].passed
    noise = np.random.Generator(np.random.Philox(key=1)).normal(0, 0.1, 32_000)
    assert tuned(noise, 16_000) < 1.1
    assert longest_silence(np.zeros(48_000), 16_000) > 2


def test_a_gate_passes_on_its_bound_and_never_on_nan() -> None:
    gate = Gate(gate="x", value=0.5, comparison=">=", bound=0.5)
    assert gate.passed
    assert gate.require == ">= 0.5"
    assert not replace(gate, value=float("nan")).passed
    assert not replace(gate, value=0.49).passed
    assert replace(gate, value=0.49, comparison="<=").passed
