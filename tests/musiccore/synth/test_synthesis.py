"""The synthesiser that makes nano's data: pitch, time, determinism."""

import hashlib
import itertools

import numpy as np
import pytest

from musiccore.audio.measures import tuned
from musiccore.scores.notation import Note, Piece, chorale_names, estimate_key, read_chorale
from musiccore.synth.nano_piano import PlayingStyle, render

RATE = 16_000


def _note(onset: float, pitch: int, duration: float = 2.0) -> Note:
    return Note(onset=onset, duration=duration, pitch=pitch, part=0)


@pytest.mark.parametrize("pitch", [48, 60, 69, 81])
def test_a_note_sounds_at_its_pitch(pitch: int) -> None:
    audio = render((_note(0, pitch, 4.0),), PlayingStyle(quarter_seconds=0.5), RATE, seconds=2)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 19))
    expected = 440 * 2 ** ((pitch - 69) / 12)
    frequencies = np.fft.rfftfreq(1 << 19, 1 / RATE)
    near = np.abs(frequencies / expected - 1) < 0.03
    found = frequencies[near][spectrum[near].argmax()]
    assert abs(1200 * np.log2(found / expected)) < 3  # cents


def test_a_note_starts_at_its_onset() -> None:
    audio = render((_note(3.0, 69),), PlayingStyle(quarter_seconds=0.5), RATE, seconds=3)
    assert np.abs(audio[: int(1.5 * RATE)]).max() == 0
    assert np.abs(audio[int(1.5 * RATE) : int(1.52 * RATE)]).max() > 0.01


def test_rendering_is_in_tune_and_has_rms_one_tenth() -> None:
    piece = read_chorale("bwv262").in_c_or_a()
    audio = render(piece.notes, PlayingStyle(quarter_seconds=0.6), RATE, seconds=8)
    assert tuned(audio, RATE) > 1.8
    assert float(np.sqrt(np.mean(audio**2))) == pytest.approx(0.1, abs=1e-4)


def test_same_seed_same_samples_other_seed_other_samples() -> None:
    notes = tuple(_note(i * 0.5, 60 + i) for i in range(6))

    def digest(seed: int) -> str:
        performance = PlayingStyle(quarter_seconds=0.5, seed=seed)
        return hashlib.sha256(render(notes, performance, RATE, seconds=3).tobytes()).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_nothing_played_is_silence() -> None:
    assert not render((), PlayingStyle(quarter_seconds=0.5), RATE, seconds=1).any()


def test_ties_are_one_note() -> None:
    piece = read_chorale("bwv281")
    for part in {n.part for n in piece.notes}:
        row = [n for n in piece.notes if n.part == part]
        for a, b in itertools.pairwise(row):
            assert a.onset + a.duration <= b.onset + 1e-6, (part, a, b)


def test_transposition_moves_the_key_to_c_or_a() -> None:
    for name in ("bwv281", "bwv310", "bwv436"):
        piece = read_chorale(name).in_c_or_a()
        assert piece.tonic == (0 if piece.mode == "major" else 9)
        assert estimate_key(piece.notes) == (piece.tonic, piece.mode)


def test_a_scale_has_its_key() -> None:
    steps = (0, 2, 4, 5, 7, 9, 11, 12)
    notes = tuple(
        _note(float(i), 62 + s, 2.0 if s % 12 in (0, 7) else 1.0) for i, s in enumerate(steps)
    )
    assert estimate_key(notes) == (2, "major")
    moved = Piece(name="scale", notes=notes, tonic=2, mode="major").transposed(3)
    assert estimate_key(moved.notes) == (5, "major")


def test_all_held_out_pieces_exist() -> None:
    from musiccore.models.nano import HELD_OUT

    assert set(HELD_OUT) <= set(chorale_names())
