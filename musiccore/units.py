"""Seconds, samples and codes: the only place that multiplies by a rate.

A length in seconds is taken as the decimal number that was written (0.1 is one tenth, not the
nearest binary fraction), so the arithmetic is exact and the same everywhere.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

from musiccore.errors import ConfigError


def _exact(seconds: float) -> Fraction:
    if not isfinite(seconds) or seconds < 0:
        raise ConfigError(f"seconds is {seconds}; it must be a finite number of at least 0")
    return Fraction(repr(float(seconds)))


def samples_in(seconds: float, sample_rate: int, *, multiple: int = 1) -> int:
    """Return the samples in a length of time, rounded down to a multiple.

    Args:
        seconds: length in seconds, at least 0.
        sample_rate: Hz.
        multiple: the result is a multiple of this; the hop length of the top level for a request.

    Raises:
        ConfigError: if `seconds` is negative or not finite.
    """
    return int(_exact(seconds) * sample_rate / multiple) * multiple


def codes_in(seconds: float, sample_rate: int, hop_length: int, *, top_hop_length: int = 1) -> int:
    """Return the codes of one level in a length of time.

    Args:
        seconds: length in seconds, at least 0.
        sample_rate: Hz.
        hop_length: samples per code of the level.
        top_hop_length: the length is first rounded down to whole codes of the top level.

    Raises:
        ConfigError: if `seconds` is negative or not finite.
    """
    return samples_in(seconds, sample_rate, multiple=top_hop_length) // hop_length


def samples_to_codes(n_samples: int, hop_length: int) -> int:
    """Return the whole codes of one level in `n_samples` samples."""
    return n_samples // hop_length


def codes_to_samples(n_codes: int, hop_length: int) -> int:
    """Return the samples that `n_codes` codes of one level cover."""
    return n_codes * hop_length


def samples_to_seconds(n_samples: int, sample_rate: int) -> float:
    """Return the length of `n_samples` samples in seconds."""
    return n_samples / sample_rate


def codes_to_seconds(n_codes: int, sample_rate: int, hop_length: int) -> float:
    """Return the length of `n_codes` codes of one level in seconds."""
    return n_codes * hop_length / sample_rate


def continuation_codes(seconds: float, sample_rate: int, hop_length: int, chunk_size: int) -> int:
    """Return the top-level codes that one step of co-composition adds.

    Whole chunks of `chunk_size` codes, always more than asked: an exact multiple grows by a chunk.

    Paper: the published notebook on co-composition.
    """
    return (codes_in(seconds, sample_rate, hop_length) // chunk_size + 1) * chunk_size
