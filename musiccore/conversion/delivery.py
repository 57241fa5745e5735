"""One sound on its way into one file: the passes it takes, and what each of them checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from musiccore.audio.loudness import LoudnessMeter, decibels
from musiccore.audio.resampling import resampled
from musiccore.audio.signatures import DAMAGED_HINT
from musiccore.audio.streams import Frames
from musiccore.conversion.channels import mixing_matrix
from musiccore.conversion.encoders import FFMPEG_WRITES, open_encoder
from musiccore.conversion.fitting import TargetPlan, plan_target
from musiccore.conversion.formats import BITS, TARGETS
from musiccore.conversion.metadata import plan_tags
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.pipeline import faded, fitted, mixed, scaled
from musiccore.conversion.sources import SoundSource, open_sound
from musiccore.conversion.speakers import USUAL
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.tags.markers import Stretch

if TYPE_CHECKING:
    from musiccore.conversion.limiter import Limiter

Progress = Callable[[float], None]
Tags = Mapping[str, object] | None

_FULL_PEAK = 0.9999
_LOSSY_MARGIN = 0.99  # decoders differ in the last bits
_PASSES = 5
_LOUDNESS_STEP = 0.1  # LU
_SPARE = 0.05  # dB
_AUDIBLE_LIMITING, _MOST_LIMITING = 6.0, 12.0  # dB


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What was done to the loudness.

    Attributes:
        before: integrated loudness of the source as it would have been written, LUFS.
        after: of what was written.
        true_peak: of what was written, dBTP.
        gain: of the whole sound, dB.
        limited: how far the highest peak was turned down to stay under the ceiling, dB.
    """

    before: float
    after: float
    true_peak: float
    gain: float
    limited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionResult:
    """What a conversion made.

    Attributes:
        seconds: length of the target.
        sample_rate: Hz of the target.
        channels: of the target.
        kind: its format.
        subtype: how its samples are stored.
        bitrate: kbit/s, None for formats that keep every sample.
        engine: who wrote it.
        source_kind: format of the source by its content.
        changes: what the format could not hold, in words.
        warnings: what was odd about the source or could not be kept, in words.
        loudness: None unless a loudness was asked for.
    """

    seconds: float
    sample_rate: int
    channels: int
    kind: str
    subtype: str
    bitrate: int | None
    engine: str
    source_kind: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    loudness: Levels | None


class Delivery:
    """One sound on its way into one file: its plan, and the passes it takes.

    Args:
        sound: heard once or several times.
        options: what was asked for.
        progress: told the share done.
        tags_from: what the sound was made from; the tags of the first come along.
        tags: more of them.

    Raises:
        ConfigError: if the format cannot hold the sound, or there is nothing where it starts.
        AudioError: if it is too long for the format.
        MissingProgram: if ffmpeg is needed and not there.
    """

    def __init__(
        self,
        sound: SoundSource,
        options: ConversionOptions,
        progress: Progress | None,
        tags_from: Sequence[Path],
        tags: Tags,
    ) -> None:
        self.sound, self.options, self._progress = sound, options, progress
        self.engine = _engine(options)
        self.start = round(options.start * sound.sample_rate)
        self.stop = None if options.end is None else round(options.end * sound.sample_rate)
        self.heard = self._expected()
        self.plan = plan_target(
            options.kind, sound.sample_rate, sound.channels, self.heard, options, bits=sound.bits,
            mask=sound.mask,
        )  # fmt: skip
        if options.start and not self.heard:
            raise ConfigError(
                f"start: {sound.name!r} ends before {options.start:g} s",
                hint="seconds from its beginning",
            )
        self.matrix = mixing_matrix(sound.channels, self.plan.channels, sound.mask, self.plan.mask)
        self.warnings: list[str] = []
        self._tags = plan_tags(tags_from, self.plan.kind, options, tags, self._stretch())
        self._same_level = True
        self._passes_done, self._passes = 0, 1 + (options.loudness is not None)

    def _expected(self) -> int:
        """Source frames between start and end; by listening where no header says."""
        if self.sound.n_frames is None:
            return sum(len(block) for block in self.sound.blocks(self.start, self.stop))
        stop = self.sound.n_frames if self.stop is None else min(self.stop, self.sound.n_frames)
        return max(0, stop - self.start)

    def _stretch(self) -> Stretch:
        """Which part of the source goes on, for what in its tags counts samples."""
        sound, options, plan = self.sound, self.options, self.plan
        stop, whole = self.stop, sound.n_frames
        if stop is not None and whole is not None and stop >= whole:
            stop = None
        if options.seconds is not None:
            wanted = round(options.seconds * sound.sample_rate)
            if wanted < self.heard:
                stop = self.start + wanted
        return Stretch(
            start=self.start, stop=stop, before=sound.sample_rate, after=plan.sample_rate,
            channels=plan.channels == sound.channels,
        )  # fmt: skip

    def write(self, aside: Path) -> ConversionResult:
        """Write the file aside, as often as it takes.

        Raises:
            AudioError: if the sound cannot be read or written.
            MissingProgram: if ffmpeg is needed and lacks the codec.
        """
        try:
            return self._write(aside)
        except MissingProgram as error:
            if self.options.engine != "auto" or TARGETS[self.plan.kind].foreign:
                raise
            self.engine, self.warnings = "soundfile", [error.message]
            return self._write(aside)

    def _write(self, aside: Path) -> ConversionResult:
        self._refuse_damage()
        before = None if self.options.loudness is None else self._measured()
        if before is None or not math.isfinite(before.integrated()):
            done, levels = self._write_plain(aside), None
            if before is not None:
                self.warnings.append("the sound is silent: its loudness is left alone")
        else:
            done, levels = self._write_level(aside, before)
        if not done.frames:
            if not TARGETS[self.plan.kind].empty:
                raise AudioError(
                    f"{self.sound.name!r} holds no sound, and {self.plan.kind} cannot hold none",
                    hint="a wav file can be empty",
                )
            self.warnings.append(f"{self.sound.name!r} holds no sound")
        self.warnings += self._tags.finish(
            aside, self.plan, self.options, done.frames, self._same_level
        )
        if self.plan.kind == "flac" and self.plan.mask not in (0, USUAL.get(self.plan.channels)):
            from musiccore.conversion.masks import state_flac_mask

            state_flac_mask(aside, self.plan.mask)
        if self._progress is not None:
            self._progress(1.0)
        return self._result(done.frames, levels)

    def _write_plain(self, aside: Path) -> _Pass:
        """Write with the level of the source, unless that is beyond full scale."""
        gain, beyond, kind = 1.0, None, self.plan.bits
        for _ in range(_PASSES):
            heard, done = self.heard, self._encode(aside, gain)
            if self.options.fade_out and heard != self.heard:
                continue  # the header lied about the end: fade out at the true one
            peak = done.peak
            if beyond is not None and kind == "lossy":
                peak = _loudness_of(aside, self.options).peak / _LOSSY_MARGIN
            if peak <= 1.0 or kind in ("float", "double"):
                break
            beyond = beyond or f"{decibels(peak):.2f} dB beyond full scale"
            if self.options.on_clip == "error":
                raise AudioError(
                    f"{self.sound.name!r} goes {beyond}",
                    hint="use on_clip normalise or clip, or a float format",
                )
            if self.options.on_clip == "clip":
                self.warnings.append(f"samples up to {beyond} were clipped")
                break
            gain *= _FULL_PEAK / peak
        if gain != 1.0:
            self.warnings.append(
                f"turned down by {-decibels(gain):.2f} dB: the sound went {beyond}"
            )
        return done

    def _write_level(self, aside: Path, before: LoudnessMeter) -> tuple[_Pass, Levels]:
        """Write with the loudness wanted, under the ceiling even after decoding."""
        from musiccore.conversion.limiter import Limiter

        options, wanted = self.options, self.options.loudness
        assert wanted is not None
        loudest = decibels(before.true_peak())
        most = options.true_peak - loudest + _MOST_LIMITING
        gain, ceiling = min(wanted - before.integrated(), most), options.true_peak - _SPARE  # dB
        for number in range(2 * _PASSES):
            limiter = None
            if gain + loudest > ceiling:
                limiter = Limiter(self.plan.sample_rate, self.plan.channels, _factor(ceiling))
            done = self._encode(aside, _factor(gain), limiter)
            meter = done.meter if self.plan.bits != "lossy" else _loudness_of(aside, options)
            after, peak = meter.integrated(), decibels(meter.true_peak())
            beyond = max(0.0, peak - options.true_peak)
            if not beyond and (abs(wanted - after) <= _LOUDNESS_STEP or number >= _PASSES):
                break
            if number >= _PASSES:  # both cannot be had: the ceiling holds
                gain, ceiling = gain - beyond - _SPARE, ceiling - beyond - _SPARE
                continue
            if limiter is not None or beyond:
                reached = gain + loudest if limiter is None else ceiling
                ceiling = min(reached - peak + options.true_peak, options.true_peak) - _SPARE
            gain = min(gain + wanted - after, most)
        reduction = 0.0 if limiter is None else max(0.0, -decibels(limiter.lowest))
        if abs(wanted - after) > 2 * _LOUDNESS_STEP:
            self.warnings.append(
                f"loudness is {after:.1f} LUFS: {wanted:g} cannot be reached under a ceiling of "
                f"{options.true_peak:g} dBTP"
            )
        elif reduction > _AUDIBLE_LIMITING:
            self.warnings.append(
                f"peaks were turned down by up to {reduction:.1f} dB to reach {wanted:g} LUFS"
            )
        if beyond:
            self.warnings.append(f"the decoded sound peaks at {peak:.1f} dBTP")
        return done, Levels(
            before=before.integrated(), after=after, true_peak=peak, gain=gain, limited=reduction
        )

    def _encode(self, aside: Path, gain: float, limiter: Limiter | None = None) -> _Pass:
        """Write everything once."""
        plan, options, done = self.plan, self.options, _Pass(self.plan, self.options)
        limited = plan.bits not in ("float", "double")
        exact = gain == 1.0 and self._untouched()
        self._same_level = gain == 1.0 and limiter is None
        encoder = open_encoder(plan, aside, options, self.engine, exact=exact, tags=self._tags.text)
        try:
            blocks = self._blocks(gain)
            for block in blocks if limiter is None else limiter(blocks):
                done.add(block)
                encoder.write(np.clip(block, -1.0, 1.0) if limited else block)
        except BaseException:
            encoder.abort()
            raise
        encoder.close()
        if plan.kind == "m4a":
            from musiccore.conversion.mp4_length import state_frames

            state_frames(aside, done.frames, plan.sample_rate)
        if plan.mask and plan.kind in ("wav", "rf64", "caf"):
            from musiccore.conversion.masks import state_mask

            state_mask(aside, plan.kind, plan.mask)
        self._refuse_damage()
        return done

    def _untouched(self) -> bool:
        """Whether every sample of the source is a sample of the target."""
        options, bits = self.options, self.sound.bits
        return (
            self.plan.sample_rate == self.sound.sample_rate
            and self.matrix is None
            and not (options.fade_in or options.fade_out)
            and self.sound.exact
            and bits in BITS
            and self.plan.bits in BITS
            and BITS.index(bits) <= BITS.index(self.plan.bits)
        )

    def _measured(self) -> LoudnessMeter:
        meter = LoudnessMeter(self.plan.sample_rate, self.plan.channels)
        for block in self._blocks(1.0):
            meter.add(block)
        return meter

    def _refuse_damage(self) -> None:
        if not self.options.strict:
            return
        if self.sound.damage:
            raise AudioError(self.sound.damage, hint=DAMAGED_HINT)
        for words in getattr(self.sound, "left_out", ()):  # of a file with more than is read
            raise ConfigError(f"strict: {words}", hint="leave strict out to convert it so")

    def _result(self, frames: int, levels: Levels | None) -> ConversionResult:
        plan, sound = self.plan, self.sound
        damage = (sound.damage,) if sound.damage else ()
        return ConversionResult(
            seconds=frames / plan.sample_rate, sample_rate=plan.sample_rate,
            channels=plan.channels, kind=plan.kind, subtype=plan.subtype, bitrate=plan.bitrate,
            engine=self.engine, source_kind=sound.kind, changes=plan.changes,
            warnings=(*sound.warnings, *damage, *self.warnings), loudness=levels,
        )  # fmt: skip

    def _blocks(self, gain: float) -> Iterator[Frames]:
        """The sound as it is to be written."""
        sound, plan, options = self.sound, self.plan, self.options
        blocks = self._told(sound.blocks(self.start, self.stop))
        if self.matrix is not None and plan.channels <= sound.channels:
            blocks = mixed(blocks, self.matrix)  # fewer channels first: less to resample
        width = min(plan.channels, sound.channels)
        blocks = resampled(blocks, sound.sample_rate, plan.sample_rate, width, sound.dtype)
        if self.matrix is not None and plan.channels > sound.channels:
            blocks = mixed(blocks, self.matrix)
        if options.seconds is not None:
            blocks = fitted(blocks, self._n_frames(), plan.channels, sound.dtype)
        rate = plan.sample_rate
        fade_in, fade_out = round(options.fade_in * rate), round(options.fade_out * rate)
        if fade_in or fade_out:
            blocks = faded(blocks, fade_in, fade_out, self._n_frames())
        return scaled(blocks, gain)

    def _n_frames(self) -> int:
        rate = self.plan.sample_rate
        if self.options.seconds is not None:
            return round(self.options.seconds * rate)
        return round(self.heard * rate / self.sound.sample_rate)

    def _told(self, blocks: Iterator[Frames]) -> Iterator[Frames]:
        """Count what is heard, and tell how far it is."""
        done = 0
        try:
            for block in blocks:
                done += len(block)
                self._tell(done / max(self.heard, 1))
                yield block
            self.heard = done
        finally:  # also where nobody listens to the end
            self._passes_done += 1

    def _tell(self, share: float) -> None:
        if self._progress is not None:
            self._progress(min(1.0, (self._passes_done + min(1.0, share)) / self._passes))


class _Pass:
    """What went into the encoder."""

    def __init__(self, plan: TargetPlan, options: ConversionOptions) -> None:
        self.frames, self.peak = 0, 0.0
        self._meter: LoudnessMeter | None = None
        if options.loudness is not None:
            self._meter = LoudnessMeter(plan.sample_rate, plan.channels)

    @property
    def meter(self) -> LoudnessMeter:
        assert self._meter is not None
        return self._meter

    def add(self, block: Frames) -> None:
        self.frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        if self._meter is not None:
            self._meter.add(block)


def _engine(options: ConversionOptions) -> str:
    if options.engine in ("ffmpeg", "pydub"):
        if options.kind not in FFMPEG_WRITES:
            raise ConfigError(
                f"engine: {options.engine} is not used for {options.kind}",
                hint="leave engine out; soundfile writes it",
            )
        return options.engine
    if TARGETS[options.kind].foreign:
        return "ffmpeg"
    if options.engine == "auto" and options.kind == "mp3":
        from musiccore.conversion.ffmpeg import has_ffmpeg

        return "ffmpeg" if has_ffmpeg(options.ffmpeg) else "soundfile"
    return "soundfile"


def _loudness_of(path: Path, options: ConversionOptions) -> LoudnessMeter:
    """Hear what was written, as everybody will."""
    sound = open_sound(path, ffmpeg=options.ffmpeg)
    meter = LoudnessMeter(sound.sample_rate, sound.channels)
    for block in sound.blocks():
        meter.add(block)
    return meter


def _factor(level: float) -> float:
    return float(10.0 ** (level / 20.0))
