"""What a piece starts from: lengths in whole bars, and how a score is played for a model."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from musiccore import audio
from musiccore.audio.measures import loudness_lufs, rms
from musiccore.audio.sound import Audio
from musiccore.conversion.memory import read
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.errors.doors import COMMAND, FORM, TABLE
from musiccore.models.presets import preset
from musiccore.request.check import check
from musiccore.request.request import GenerationRequest
from musiccore.runs import primer_audio as primers
from musiccore.scores.likeness import check_against_score, score_chroma
from musiccore.scores.midi import write_midi
from musiccore.scores.score import DRUM_CHANNEL, Meter, Part, Score, ScoreNote, Tempo

QUARTER = 480


def scale(*, n_quarters: int = 18, transpose: int = 0, channel: int = 0) -> Score:
    """Quarter notes up a C major scale and again, at 120 a minute: half a second each."""
    steps = (0, 2, 4, 5, 7, 9, 11, 12)
    notes = tuple(
        ScoreNote(start=i * QUARTER, duration=QUARTER, pitch=60 + transpose + steps[i % 8])
        for i in range(n_quarters)
    )
    part = Part(notes=notes, channel=channel)
    return Score(ticks_per_quarter=QUARTER, parts=(part,))


@pytest.mark.parametrize(
    ("limit", "seconds"), [(None, 8.0), (9.0, 8.0), (8.0, 8.0), (7.99, 6.0), (2.0, 2.0)]
)
def test_score_is_cut_at_the_last_bar_line_before_the_limit(limit, seconds) -> None:
    assert primers.bar_seconds(scale(), limit) == pytest.approx(seconds)


def test_bar_lines_follow_meter_and_tempo() -> None:
    waltz = replace(
        scale(n_quarters=12),
        meters=(Meter(tick=0, numerator=3, denominator=4),),
        tempos=(Tempo(tick=6 * QUARTER, microseconds=1_000_000),),
    )
    assert primers.bar_seconds(waltz, None) == pytest.approx(9.0)
    assert primers.bar_seconds(waltz, 8.9) == pytest.approx(6.0)


def test_score_shorter_than_a_bar_is_used_whole() -> None:
    assert primers.bar_seconds(scale(n_quarters=3), None) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("limit", "words"), [(10.0, "the score lasts 9.00 s"), (1.0, "first bar of the score")]
)
def test_limit_that_does_not_fit_is_refused(limit, words) -> None:
    with pytest.raises(ConfigError, match=words):
        primers.bar_seconds(scale(), limit)


def test_composed_primer_is_whole_bars() -> None:
    assert primers.composed_bars(120.0, 9.9) == 4
    assert primers.composed_samples(120.0, 9.9, 16_000) == 128_000
    with pytest.raises(ConfigError, match=r"one bar at tempo 120 lasts 2.00 s"):
        primers.composed_bars(120.0, 1.9)


def test_request_counts_a_score_in_codes_without_playing_it(tmp_path) -> None:
    path = tmp_path / "scale.mid"
    path.write_bytes(write_midi(scale()))
    config = preset("nano")
    request = GenerationRequest(model="nano", seconds=20, primer=str(path), primer_seconds=5)
    assert primers.primer_samples(request, config) == 64_000 // 256 * 256
    composed = GenerationRequest.parse({"model": "nano", "primer_compose": {"tempo": 120}})
    assert primers.primer_samples(composed, config) == 96_000 // 256 * 256  # half of 12 s


def test_two_primers_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"^primer: .* and another one is to be composed"):
        check(GenerationRequest.parse({"primer": "a.mid", "primer_compose": {}, "seconds": 12}))


def test_nano_hears_its_own_piano_at_its_own_level() -> None:
    clip = primers.play_primer(scale(), 64_000, preset("nano"))
    assert (clip.samples.shape, clip.sample_rate) == ((1, 64_000), 16_000)
    assert rms(clip.samples) == pytest.approx(0.1, rel=0.01)


def test_other_models_hear_the_instruments_at_a_fixed_loudness() -> None:
    config = preset("1b_lyrics")
    n_samples = 4 * config.vqvae.sample_rate
    clip = primers.play_primer(scale(), n_samples, config)
    assert clip.samples.shape == (1, n_samples)
    assert loudness_lufs(clip.samples, clip.sample_rate) == pytest.approx(primers.LOUDNESS, abs=0.3)
    assert clip.peak <= 1


def test_drums_alone_are_silence_for_nano() -> None:
    drums = scale(channel=DRUM_CHANNEL)
    with pytest.raises(AudioError, match="the score is silent"):
        primers.play_primer(drums, 64_000, preset("nano"))


def test_damaged_score_names_the_field(tmp_path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(b"MThd\0\0\0\6\0\1")
    with pytest.raises(AudioError, match=r"^primer: .*bad\.mid"):
        primers.primer_samples(GenerationRequest(primer=str(path)), preset("nano"))


# ------------------------------------------------------------------------------------ the check


def played(score: Score, seconds: float) -> Audio:
    config = preset("nano")
    return primers.play_primer(score, round(seconds * 16_000), config)


def test_score_chroma_is_where_the_notes_are() -> None:
    table = score_chroma(scale(n_quarters=2), 4, 0.25)
    assert np.flatnonzero(table[0]).tolist() == [0, 1]
    assert np.flatnonzero(table[2]).tolist() == [2, 3]


def test_music_that_follows_its_score_stands_out_from_other_keys() -> None:
    check = check_against_score(scale(), played(scale(n_quarters=24), 12.0), 8.0)
    assert check.primer > 0.6 > check.primer_elsewhere
    assert check.following is not None
    assert check.following > 0.6
    assert check.drift == 0


def test_music_that_drifts_into_another_key_is_told() -> None:
    start, rest = played(scale(), 8.0), played(scale(transpose=3), 9.0)
    both = Audio(samples=np.concatenate([start.samples, rest.samples], axis=1), sample_rate=16_000)
    check = check_against_score(scale(), both, 8.0)
    assert check.drift == 3
    assert check.following_elsewhere > check.following


def test_music_that_ends_with_its_score_has_nothing_that_follows() -> None:
    check = check_against_score(scale(), played(scale(), 8.0), 8.0)
    assert check.following is None
    assert check.drift is None


def test_noise_follows_no_score() -> None:
    noise = np.random.Generator(np.random.Philox(1)).standard_normal((1, 128_000)) * 0.1
    check = check_against_score(
        scale(), audio.Audio(samples=noise.astype(np.float32), sample_rate=16_000), 8.0
    )
    assert abs(check.primer) < 0.2


# ------------------------------------------------------------------------------- recordings


def noise(seconds: float, rate: int, channels: int = 1) -> Audio:
    rng = np.random.default_rng(1)
    samples = 0.1 * rng.standard_normal((channels, round(seconds * rate)))
    return Audio(samples=samples.astype(np.float32), sample_rate=rate)


@pytest.mark.parametrize(("rate", "kind"), [(44_100, "wav"), (48_000, "flac"), (22_050, "mp3")])
def test_beginning_of_a_recording_is_that_of_all_of_it(tmp_path, rate, kind) -> None:
    path = tmp_path / f"long.{kind}"
    path.write_bytes(audio.write(noise(9.0, rate, 2), kind))
    whole = audio.resample(audio.to_mono(read(path)), 16_000)
    part = primers.read_primer(path, 40_000, 16_000)
    assert np.array_equal(whole.samples[:, :40_000], part.samples)


@pytest.mark.parametrize("limit", [None, 0.5])
def test_of_a_long_recording_only_the_beginning_is_decoded(tmp_path, monkeypatch, limit) -> None:
    from musiccore.conversion import sources

    path = tmp_path / "long.wav"
    path.write_bytes(audio.write(noise(60.0, 8000), "wav"))
    asked: list[int | None] = []
    blocks = sources.FileSound.blocks

    def watched(self, start=0, stop=None):
        asked.append(stop)
        return blocks(self, start, stop)

    monkeypatch.setattr(sources.FileSound, "blocks", watched)
    extent = primers.primer_extent(path, limit, 8000, most=16_000)
    assert extent.n_samples == (480_000 if limit is None else 4000)
    assert asked == ([] if limit is None else [4000 + 2 * 8000])


def test_damage_behind_what_is_used_does_not_matter_and_before_it_does(tmp_path) -> None:
    path = tmp_path / "hurt.flac"
    data = bytearray(audio.write(noise(20.0, 8000), "flac"))
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)
    assert primers.primer_extent(path, 2.0, 8000, most=80_000).n_samples == 16_000
    assert primers.read_primer(path, 16_000, 8000).n_samples == 16_000
    with pytest.raises(AudioError, match=r"hurt\.flac") as caught:
        primers.primer_extent(path, 15.0, 8000, most=160_000)
    assert "`jukeflow convert " in str(caught.value.hint)


def test_primer_that_ends_early_is_refused(tmp_path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(audio.write(noise(4.0, 8000), "wav")[:40_000])
    with pytest.raises(AudioError, match=r"promises|cut short"):
        primers.primer_extent(path, 3.0, 8000, most=80_000)


@pytest.mark.programs("ffmpeg")
@pytest.mark.parametrize("kind", ["m4a", "mka", "aac"])
def test_beginning_of_what_only_ffmpeg_reads(tmp_path, kind) -> None:
    from musiccore.conversion.ffmpeg import find_ffmpeg

    wav, path = tmp_path / "a.wav", tmp_path / f"a.{kind}"
    wav.write_bytes(audio.write(noise(8.0, 44_100), "wav"))
    command = [find_ffmpeg(None, ""), "-v", "error", "-i", str(wav), "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    whole = audio.resample(read(path), 16_000)
    assert primers.primer_extent(path, 2.0, 16_000, most=80_000).n_samples == 32_000
    part = primers.read_primer(path, 32_000, 16_000)
    assert np.array_equal(whole.samples[:, :32_000], part.samples)
    unbounded = primers.primer_extent(path, None, 16_000, most=20_000)
    assert unbounded.n_samples >= 20_000
    with pytest.raises(ConfigError, match=r"primer_seconds is 60.0; the primer lasts [78]\."):
        primers.primer_extent(path, 60.0, 16_000, most=2_000_000)


@pytest.mark.parametrize(
    ("door", "words"), [(COMMAND, "--primer"), (FORM, "“Primer”"), (TABLE, "the column primer")]
)
def test_without_ffmpeg_the_way_out_is_named_at_every_door(
    tmp_path, monkeypatch, door, words
) -> None:
    from musiccore.conversion import ffmpeg

    def missing(asked, purpose):
        raise MissingProgram(f"{purpose} needs the program ffmpeg", hint="install ffmpeg")

    monkeypatch.setattr(ffmpeg, "find_ffmpeg", missing)
    path = tmp_path / "my memo.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(400))
    with pytest.raises(MissingProgram, match=r"^primer: .*memo\.m4a.* needs the program") as caught:
        primers.primer_samples(GenerationRequest(primer=str(path)), preset("nano"))
    hint = caught.value.hint_at(door)
    assert "install ffmpeg" in hint
    assert f"`jukeflow convert '{path}' '{tmp_path / 'my memo-primer.wav'}'`" in hint
    assert words in hint
