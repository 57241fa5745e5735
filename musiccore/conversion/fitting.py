"""What becomes of a sound that is more than its format can hold."""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.conversion.formats import BITS, TARGETS, Target
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.speakers import USUAL, fitting_layout, is_usual, layout_name
from musiccore.errors import AudioError, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """How one sound is stored in one format.

    Attributes:
        kind: as asked for; a WAV above 4 GiB becomes "rf64".
        container: name for the library that writes it.
        subtype: how samples are stored.
        bits: "8" to "32", "float", "double", or "lossy".
        sample_rate: Hz.
        channels: number of them.
        mask: which speakers they are for, see `speakers`; 0 unsaid.
        bitrate: kbit/s of a lossy format.
        changes: what the format cannot hold and nobody asked to change, in words.
    """

    kind: str
    container: str
    subtype: str
    bits: str
    sample_rate: int
    channels: int
    mask: int
    bitrate: int | None
    changes: tuple[str, ...]


def plan_target(
    kind: str,
    rate: int,
    channels: int,
    frames: int | None,
    options: ConversionOptions,
    *,
    bits: str = "lossy",
    mask: int = 0,
) -> TargetPlan:
    """Decide rate, channels and sample format of the target.

    Args:
        kind: format wanted, one of `KINDS`.
        rate: Hz of the source.
        channels: of the source.
        frames: samples per channel of the source; None if unknown.
        options: what was asked for.
        bits: how finely the source stores samples, as `streams.bits_of` says.
        mask: which speakers its channels are for; 0 unsaid.

    Returns:
        The plan; everything in it fits the format.

    Raises:
        ConfigError: if something would change and `options.strict` is set.
        AudioError: if the sound is too long for the format.
    """
    target, changes = TARGETS[kind], []
    wanted_rate = options.sample_rate or rate
    new_rate = _fitting_rate(target, wanted_rate)
    if new_rate != wanted_rate:
        changes.append(f"{wanted_rate} Hz become {new_rate} Hz")
    new_channels, new_mask, said = _fitting_channels(kind, target, channels, mask, options.channels)
    changes += said
    new_bits = "lossy" if target.lossy else options.bits or _fitting_bits(target, bits)
    if not target.lossy and options.bits is None and _coarser(new_bits, bits):
        changes.append(f"{bits} samples become {new_bits} bit")
    if frames is not None and target.max_bytes is not None:
        seconds = frames / rate if options.seconds is None else options.seconds
        size = seconds * new_rate * new_channels * _BYTES[new_bits]
        if size > target.max_bytes:
            if kind != "wav":
                raise AudioError(
                    f"{size / 2**30:.1f} GiB of samples do not fit into {kind.upper()} (4 GiB)",
                    hint="convert to rf64, w64, caf or flac",
                )
            kind = "rf64"
            changes.append(f"WAV becomes RF64: {size / 2**30:.1f} GiB are more than WAV's 4 GiB")
    bitrate = _fitting_bitrate(kind, new_rate, new_channels, options.bitrate)
    if options.bitrate is not None and bitrate != options.bitrate:
        changes.append(f"{options.bitrate} kbit/s become {bitrate}")
    if options.strict and changes:
        raise ConfigError(
            f"strict: {kind} cannot hold this sound as it is: {'; '.join(changes)}",
            hint="ask for it by name (rate, channels, bits), or leave strict out",
        )
    return TargetPlan(
        kind=kind,
        container="WAVEX" if kind == "wav" and needs_mask(new_mask) else TARGETS[kind].container,
        subtype=target.codec if target.lossy else target.subtypes[new_bits],
        bits=new_bits,
        sample_rate=new_rate,
        channels=new_channels,
        mask=new_mask,
        bitrate=bitrate,
        changes=tuple(changes),
    )


def needs_mask(mask: int) -> bool:
    """Tell whether a WAV has to say which speakers its channels are for."""
    return mask.bit_count() > 2 or mask not in (0, USUAL[1], USUAL[2])


def _fitting_channels(
    kind: str, target: Target, channels: int, mask: int, asked: int | None
) -> tuple[int, int, list[str]]:
    """How many channels, for which speakers, and what that changes."""
    wanted = asked or channels
    if wanted > target.channels:
        return 2, 0, [f"{wanted} channels become 2"]
    if wanted != channels:
        return wanted, USUAL.get(wanted, 0) if mask else 0, []
    if kind in _KEEP_MASKS or channels <= 2 or is_usual(mask, channels):
        return wanted, mask, []
    named = layout_name(mask)
    if kind in _LAID_OUT:
        fitting = fitting_layout(mask, target.channels)
        if fitting is not None:
            words = f"{named} becomes {layout_name(fitting)}: {kind} has no {named}"
            return fitting.bit_count(), fitting, [words]
    return wanted, 0, [f"{kind} does not say that the channels are {named}"]


_KEEP_MASKS = ("wav", "rf64", "caf", "flac")
_LAID_OUT = ("ogg", "opus", "webm", "m4a", "aac")
"""Formats whose channels have the speakers that are usual for so many."""

_BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "float": 4, "double": 8, "lossy": 0}


def _fitting_rate(target: Target, rate: int) -> int:
    if target.rates is None:
        return min(max(rate, 8000 if target.lossy else rate), target.max_rate)
    if rate in target.rates:
        return rate
    if target.codec in ("OPUS", "libopus"):
        return 48_000  # what Opus works at inside
    return next((each for each in target.rates if each >= rate), 48_000)


def _fitting_bits(target: Target, bits: str) -> str:
    if bits == "lossy":
        return "16"
    if bits in target.subtypes:
        return bits
    return [each for each in BITS if each in target.subtypes][-1]


def _coarser(bits: str, before: str) -> bool:
    return before != "lossy" and BITS.index(bits) < BITS.index(before)


def _fitting_bitrate(kind: str, rate: int, channels: int, asked: int | None) -> int | None:
    if not TARGETS[kind].lossy:
        return None
    if kind == "mp3":
        least, most = mp3_bitrates(rate)
        return min(max(asked or 192, least), most)
    return asked or 96 * channels


def mp3_bitrates(rate: int) -> tuple[int, int]:
    """Return the least and the most kbit/s of MP3 at a sample rate."""
    return (32, 320) if rate >= 32_000 else (8, 160) if rate >= 16_000 else (8, 64)
