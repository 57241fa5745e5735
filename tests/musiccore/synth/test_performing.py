"""Scores to sound, on our own instruments and on a sound font: pitch, time, level, sameness."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from musiccore.audio.measures import loudness_lufs
from musiccore.audio.sound import Audio, pcm_sha256
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.scores.score import DRUM_CHANNEL, Control, Part, Score, ScoreNote, Tempo
from musiccore.synth.player import CEILING, LONGEST_RING, Player, perform
from musiccore.synth.timbres import family_names, timbre_of

RATE = 44_100
A4, C4, A5, A2 = 69, 60, 81, 45
NEEDS_FLUIDSYNTH = pytest.mark.programs("fluidsynth")


def _score(*parts: Part, tempo: int = 500_000) -> Score:
    """500 ticks are a quarter note of 0.5 s: a tick is a millisecond."""
    tempos = (Tempo(tick=0, microseconds=tempo),)
    return Score(ticks_per_quarter=500, parts=parts, tempos=tempos)


def _part(
    notes: Sequence[tuple[int, int, int]],
    *,
    velocity: int = 90,
    program: int = 0,
    channel: int = 0,
    controls: Sequence[tuple[int, int, int, int]] = (),
) -> Part:
    """Notes are (start, duration, pitch) in ms; controls (ms, kind, data, data)."""
    return Part(
        notes=tuple(
            ScoreNote(start=start, duration=duration, pitch=pitch, velocity=velocity)
            for start, duration, pitch in notes
        ),
        program=program,
        channel=channel,
        controls=tuple(
            Control(tick=tick, kind=kind, data=(first, second))
            for tick, kind, first, second in controls
        ),
    )


MELODY = tuple((500 + 1000 * n, 800, pitch) for n, pitch in enumerate((A4, C4, A5, A2)))


def _chorale(program: int = 0) -> Score:
    """Four voices of quarter notes, 24 s."""
    voices = ((72, 74, 76, 77, 79, 77), (67, 65, 67, 69), (60, 62, 64, 65, 64), (48, 50, 52, 53))
    return _score(
        *(
            _part(
                [(500 * n, 500, voice[n % len(voice)]) for n in range(48)],
                program=program,
                channel=channel,
            )
            for channel, voice in enumerate(voices)
        )
    )


def _peak_near(samples: np.ndarray, hertz: float) -> float:
    """Frequency of the strongest place within a quarter tone, by a parabola over three bins."""
    n_fft = 1 << 20
    levels = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n_fft))
    places = np.arange(len(levels)) * RATE / n_fft
    near = (places > hertz * 2 ** (-50 / 1200)) & (places < hertz * 2 ** (50 / 1200))
    at = int(np.argmax(np.where(near, levels, 0.0)))
    below, here, above = np.log(levels[at - 1 : at + 2])
    return float((at + 0.5 * (below - above) / (below - 2 * here + above)) * RATE / n_fft)


def _cents(samples: np.ndarray, pitch: int) -> float:
    hertz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    return float(1200.0 * np.log2(_peak_near(samples, hertz) / hertz))


def _lag(samples: np.ndarray, second: float) -> float:
    """Seconds from `second` to where the sound around it passes a tenth of its peak."""
    first = round((second - 0.05) * RATE)
    piece = np.abs(samples[first : first + round(0.25 * RATE)])
    return float(np.argmax(piece > 0.1 * piece.max())) / RATE - 0.05


def test_notes_are_in_tune_and_in_time(player: Player) -> None:
    samples = player.perform(_score(_part(MELODY))).samples[0]
    for start, _, pitch in MELODY:
        note = samples[round(start / 1000 * RATE) :][: round(0.8 * RATE)]
        assert abs(_cents(note, pitch)) < 3.0
        assert abs(_lag(samples, start / 1000)) < 0.02


@pytest.mark.parametrize("name", family_names())
def test_every_family_is_in_tune_and_in_time(name: str) -> None:
    program = next(program for program in range(128) if timbre_of(program).name == name)
    for pitch in (A4, C4):
        samples = perform(_score(_part([(500, 800, pitch)], program=program))).samples[0]
        note = samples[RATE // 2 :][: round(0.8 * RATE)]
        assert abs(_cents(note, pitch)) < 3.0
        assert abs(_lag(samples, 0.5)) < 0.02


def test_same_score_same_bytes_within_full_scale(player: Player) -> None:
    drums = _part([(n, 100, 35 + n % 47) for n in range(0, 4000, 61)], channel=DRUM_CHANNEL)
    loud = _score(drums, *(_part(MELODY, velocity=127, program=p) for p in (0, 19, 48, 61)))
    one, other = (player.perform(loud) for _ in range(2))
    assert pcm_sha256(one) == pcm_sha256(other)
    assert one.peak <= CEILING + 1e-6
    assert loud.seconds + 1.0 - 1e-4 <= one.seconds <= loud.seconds + LONGEST_RING + 1e-4


def test_own_bytes_are_the_same_in_another_process() -> None:
    code = f"""
from musiccore.audio.sound import pcm_sha256
from musiccore.synth.player import perform
from musiccore.scores.score import Part, Score, ScoreNote, Tempo
notes = tuple(
    ScoreNote(start=start, duration=duration, pitch=pitch, velocity=90)
    for start, duration, pitch in {MELODY}
)
tempos = (Tempo(tick=0, microseconds=500_000),)
print(pcm_sha256(perform(Score(ticks_per_quarter=500, parts=(Part(notes=notes),), tempos=tempos))))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == pcm_sha256(perform(_score(_part(MELODY))))


def test_result_has_the_loudness_that_was_asked_for() -> None:
    audio = perform(_chorale(), loudness=-20.0)
    assert loudness_lufs(audio.samples, RATE) == pytest.approx(-20.0, abs=0.1)


def test_instruments_are_about_equally_loud() -> None:
    levels = []
    for name in family_names():
        program = next(program for program in range(128) if timbre_of(program).name == name)
        tune = [(500 * n, 450, (48 if name == "bass" else 60) + 4 * n) for n in range(4)]
        audio = perform(_score(_part(tune, program=program)), loudness=None, sample_rate=22_050)
        levels.append(loudness_lufs(audio.samples, 22_050))
    assert np.ptp(levels) < 6.0


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def test_velocity_volume_and_expression_are_heard(player: Player) -> None:
    def level(**gestures: object) -> float:
        part = _part([(0, 500, A4)], **gestures)  # type: ignore[arg-type]
        return _rms(player.perform(_score(part), loudness=None).samples[:, :RATE])

    plain = level()
    assert level(velocity=40) < 0.5 * plain
    assert level(controls=[(0, 0xB, 7, 50)]) < 0.5 * plain
    assert level(controls=[(0, 0xB, 11, 64)]) < 0.5 * plain


def test_pan_moves_between_the_channels(player: Player) -> None:
    part = _part([(0, 800, A4)], controls=[(0, 0xB, 10, 0)])
    left, right = player.perform(_score(part)).samples
    assert _rms(left) > 50 * _rms(right)
    left, right = player.perform(_score(_part([(0, 800, A4)]))).samples
    assert _rms(left) == pytest.approx(_rms(right), rel=0.05)


def _sides(player: Player, *controls: tuple[int, int, int, int]) -> tuple[float, float]:
    audio = player.perform(_score(_part([(0, 800, A4)], controls=controls)), loudness=None)
    return _rms(audio.samples[0]), _rms(audio.samples[1])


@NEEDS_FLUIDSYNTH
def test_instrument_with_a_sample_on_each_side_can_be_on_one_side_alone(stereo_font) -> None:
    player = Player.find("fluidsynth", soundfont=stereo_font)
    left, right = _sides(player, (0, 0xB, 10, 0))
    assert left > 50 * right
    left, right = _sides(player, (0, 0xB, 10, 127))
    assert right > 50 * left
    left, right = _sides(player, (0, 0xB, 10, 32))
    assert 1.5 < left / right < 4.0
    left, right = _sides(player, (0, 0xB, 10, 0), (0, 0xB, 8, 64))  # a balance of the score's own
    assert right > 0.3 * left


@NEEDS_FLUIDSYNTH
def test_effects_are_heard_only_where_they_are_asked_for(font) -> None:
    score = _score(_part([(0, 300, A4)], controls=[(0, 0xB, 91, 127), (0, 0xB, 93, 127)]))
    dry, wet, many = (
        Player.find("fluidsynth", soundfont=font, **effects).perform(score, loudness=None).samples
        for effects in ({}, {"reverb": True}, {"chorus": True})
    )
    silent = slice(round(0.6 * RATE), round(0.8 * RATE))  # the note has ended, a room has not
    assert _rms(dry[:, silent]) < 1e-6
    assert _rms(wet[:, silent]) > 2e-5
    assert _rms(many[:, : RATE // 4] - dry[:, : RATE // 4]) > 0.02 * _rms(dry[:, : RATE // 4])


def test_effect_that_an_engine_lacks_is_refused() -> None:
    for effect in ("reverb", "chorus"):
        with pytest.raises(ConfigError, match=f"{effect}: the engine own has none"):
            Player.find("own", **{effect: True})


@pytest.mark.programs("fluidsynth", "sound font")
def test_sound_font_of_this_machine_plays_the_right_notes_in_time() -> None:
    """Whatever it is: a font may be tuned like a real instrument, but not to another note."""
    samples = Player.find("fluidsynth").perform(_score(_part(MELODY))).samples[0]
    for start, _, pitch in MELODY:
        note = samples[round(start / 1000 * RATE) :][: round(0.8 * RATE)]
        assert abs(_cents(note, pitch)) < 15.0
        assert abs(_lag(samples, start / 1000)) < 0.03


def test_pedal_holds_a_note_until_it_is_lifted(player: Player) -> None:
    pedal = [(0, 0xB, 64, 127), (1500, 0xB, 64, 0)]
    held = _score(_part([(0, 200, A4), (1900, 100, A2)], controls=pedal))
    free = _score(_part([(0, 200, A4), (1900, 100, A2)]))
    sound = [player.perform(one, loudness=None).samples[0] for one in (held, free)]
    after, lifted = (
        slice(round(1.0 * RATE), round(1.4 * RATE)),
        slice(round(1.8 * RATE), round(1.88 * RATE)),
    )
    assert _rms(sound[0][after]) > 20 * _rms(sound[1][after])
    assert _rms(sound[0][lifted]) < 0.1 * _rms(sound[0][after])


def test_bend_moves_the_pitch_by_its_range(player: Player) -> None:
    up = (0x3FFF & 0x7F, 0x3FFF >> 7)
    controls = [(0, 0xE, *up)]
    samples = player.perform(_score(_part([(0, 900, A4)], program=0, controls=controls)))
    assert abs(_cents(samples.samples[0][: round(0.8 * RATE)], A4 + 2)) < 5.0
    wide = [(0, 0xB, 101, 0), (0, 0xB, 100, 0), (0, 0xB, 6, 12), (0, 0xE, *up)]
    samples = player.perform(_score(_part([(0, 900, A4)], program=0, controls=wide)))
    assert abs(_cents(samples.samples[0][: round(0.8 * RATE)], A4 + 12)) < 15.0


def test_parts_on_one_channel_share_a_pedal_but_keep_their_own_volume() -> None:
    pedal = [(0, 0xB, 64, 127), (0, 0xB, 7, 100)]
    right = _part([(1900, 100, A2)], controls=pedal)
    left = _part([(0, 200, A4)], controls=[(0, 0xB, 7, 20)])
    alone = perform(_score(left, replace(right, channel=1)), loudness=None).samples[0]
    together = perform(_score(left, right), loudness=None).samples[0]
    begin, after = slice(0, RATE // 10), slice(RATE, round(1.4 * RATE))
    np.testing.assert_array_equal(alone[begin], together[begin])
    assert _rms(together[after]) > 20 * _rms(alone[after])


def test_drums_have_no_pitch_and_do_not_follow_the_program() -> None:
    strokes = [(0, 50, 36), (500, 50, 38), (1000, 50, 42)]
    drums = _score(_part(strokes, channel=DRUM_CHANNEL))
    other = _score(_part(strokes, channel=DRUM_CHANNEL, program=48))
    assert pcm_sha256(perform(drums)) == pcm_sha256(perform(other))
    samples = perform(drums).samples[0]
    for start, *_ in strokes:
        assert abs(_lag(np.pad(samples, (RATE, 0)), 1 + start / 1000)) < 0.01
    low, high = (_centroid(samples[at * RATE // 1000 :][: RATE // 10]) for at in (0, 1000))
    assert low < 500 < 5000 < high


def _centroid(samples: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float((power * np.fft.rfftfreq(len(samples), 1 / RATE)).sum() / power.sum())


def test_open_hat_is_stopped_by_a_closed_one() -> None:
    def tail(second: int) -> float:
        hats = _part([(0, 50, 46), (200, 50, second)], channel=DRUM_CHANNEL)
        return _rms(perform(_score(hats), loudness=None).samples[0][round(0.4 * RATE) :])

    assert tail(42) < 0.1 * tail(36)


def test_program_changes_within_a_part_are_heard() -> None:
    change = Control(tick=1000, kind=0xC, data=(73,))
    part = replace(_part([(0, 900, A4), (1000, 900, A4)], program=6), controls=(change,))
    samples = perform(_score(part)).samples[0]
    assert _centroid(samples[:RATE]) > 1.5 * _centroid(samples[RATE : 2 * RATE])


def test_long_steady_note_goes_on_without_a_seam() -> None:
    score = _score(_part([(0, 20_000, A4)], program=80))
    samples = perform(score, loudness=None).samples[0]
    levels = [_rms(samples[at * RATE : (at + 1) * RATE]) for at in range(1, 20)]
    assert max(levels) < 1.01 * min(levels)
    jumps = np.abs(np.diff(samples, 2))[RATE : 19 * RATE]
    assert jumps.reshape(18, -1).max(axis=1).std() < 0.01 * jumps.max()
    assert abs(_cents(samples[9 * RATE : 10 * RATE], A4)) < 0.5


def test_other_rates_give_the_same_music() -> None:
    for rate in (16_000, 48_000):
        audio = perform(_score(_part(MELODY)), sample_rate=rate)
        assert audio.sample_rate == rate
        assert audio.seconds == pytest.approx(5.3, abs=0.001)
        note = audio.samples[0][round(0.5 * rate) :][: round(0.8 * rate)]
        levels = np.abs(np.fft.rfft(note * np.hanning(len(note)), 1 << 18))
        assert np.argmax(levels) * rate / (1 << 18) == pytest.approx(440.0, abs=1.0)


def test_nothing_to_play_is_said() -> None:
    with pytest.raises(AudioError, match="no notes"):
        perform(_score(_part([])))
    with pytest.raises(AudioError, match="volume is 0"):
        perform(_score(_part(MELODY, controls=[(0, 0xB, 7, 0)])))


def test_missing_font_or_library_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"soundfont: .* does not exist"):
        Player.find("auto", soundfont=tmp_path / "none.sf2")
    with pytest.raises(ConfigError, match=r"fluidsynth: .* does not exist"):
        Player.find("fluidsynth", library=tmp_path / "none.so")


@NEEDS_FLUIDSYNTH
def test_broken_font_is_named(tmp_path) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF\x10\0\0\0sfbk1234")
    with pytest.raises(MissingProgram, match="cannot read the sound font"):
        Player.find("fluidsynth", soundfont=broken)
    fallback = Player.find("auto", soundfont=broken)
    assert fallback.fluidsynth is None
    assert "cannot read the sound font" in fallback.reason


def test_without_any_library_or_font_our_own_instruments_play(tmp_path) -> None:
    """Packages hidden and the folders of the system out of sight, in a process of its own."""
    code = """
import sys
for name in ("pygame", "pretty_midi"):
    sys.modules[name] = None
import ctypes.util
ctypes.util.find_library = lambda name: None
import musiccore.synth.soundfonts
musiccore.synth.soundfonts.FONT_FOLDERS = ()
from musiccore.errors import MissingProgram
from musiccore.synth.player import Player
print(Player.find("auto"))
try:
    Player.find("fluidsynth")
except MissingProgram as error:
    print(error.message, error.extra)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fluidsynth=None, reason='FluidSynth is not on this machine'" in found.stdout
    assert "FluidSynth is not on this machine play" in found.stdout


def _speed(player: Player, score: Score) -> float:
    """Seconds of sound in a second of computing, the best of three."""
    player.perform(score)
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        audio: Audio = player.perform(score)
        best = min(best, time.process_time() - start)
    return audio.seconds / best


@pytest.mark.benchmark
@pytest.mark.parametrize(("engine", "program", "goal"), [
    ("own", 0, 100), ("own", 19, 100), ("own", 48, 100), ("fluidsynth", 0, 40),
])  # fmt: skip
def test_four_voices_play_much_faster_than_they_sound(engine, program, goal) -> None:
    assert _speed(Player.find(engine), _chorale(program)) >= goal


# ------------------------------------------------------------------------------------- what rings

SUSTAIN, ORGAN, CRASH = 64, 19, 49
HELD = pytest.mark.parametrize(  # an organ that sounds as long as it is held: a font of the machine
    "engine",
    ["own", pytest.param("fluidsynth", marks=pytest.mark.programs("fluidsynth", "sound font"))],
)


def _level(audio: Audio, start: float, stop: float) -> float:
    """Largest sample between two times in seconds."""
    first, last = (round(t * audio.sample_rate) for t in (start, stop))
    return float(np.abs(audio.samples[:, first:last]).max())


@HELD
def test_last_chord_rings_until_the_pedal_comes_up(engine) -> None:
    """The pedal is down from 0.1 s to 4 s, the keys are let go at 1 s."""
    pedal = [(100, 0xB, SUSTAIN, 127), (4000, 0xB, SUSTAIN, 0)]
    score = _score(_part([(0, 1000, C4), (0, 1000, A4)], program=ORGAN, controls=pedal))
    heard = Player.find(engine).perform(score)
    assert heard.seconds >= 5.0 - 1e-4
    assert _level(heard, 3.0, 3.9) > 0.5 * _level(heard, 0.5, 0.9)
    assert _level(heard, heard.seconds - 0.05, heard.seconds) < 0.01


@HELD
def test_pedal_that_never_comes_up_is_lifted_after_the_last_event(engine) -> None:
    down = [(100, 0xB, SUSTAIN, 127), (2500, 0xB, 7, 100)]
    heard = Player.find(engine).perform(
        _score(_part([(0, 1000, C4)], program=ORGAN, controls=down))
    )
    assert heard.seconds >= 5.5 - 1e-4
    assert _level(heard, 3.5, 4.4) > 0.3 * _level(heard, 0.3, 0.9)
    assert _level(heard, 5.2, 5.4) < 0.2 * _level(heard, 3.5, 4.4)
    assert _level(heard, heard.seconds - 0.01, heard.seconds) < 0.01


def test_tone_that_nothing_damps_dies_away() -> None:
    """A cymbal rings for seconds after the stroke; it is not cut a second later."""
    heard = perform(_score(_part([(0, 100, CRASH)], channel=DRUM_CHANNEL)))
    assert heard.seconds > 1.5
    assert _level(heard, 0.9, 1.1) > 0.01
    assert _level(heard, heard.seconds - 0.1, heard.seconds) < 0.02 * heard.peak


def test_parts_on_two_ports_do_not_share_a_pedal() -> None:
    held = _part([(0, 500, C4)], program=ORGAN)
    pedal = _part([(0, 500, A4)], program=ORGAN, controls=[(0, 0xB, SUSTAIN, 127)])
    apart = _score(held, replace(pedal, port=1, notes=()))
    assert _level(perform(apart), 0.8, 1.4) < 0.01
    assert _level(perform(_score(held, replace(pedal, notes=()))), 0.8, 1.4) > 0.1
