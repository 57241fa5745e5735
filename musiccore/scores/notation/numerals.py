"""Names of chords by music21. Runs within the process of music21."""

from __future__ import annotations

from music21 import chord, key, pitch, roman


def named(in_key: tuple[str, str], chords: list[list[int]]) -> list[tuple[str, str]]:
    """Name chords.

    Args:
        in_key: name of the tonic, and mode.
        chords: MIDI numbers.

    Returns:
        Of each, its common name and its Roman numeral; empty where it has none.
    """
    tonality = key.Key(*in_key)
    spelled = {n: _spelled(n, tonality) for pitches in chords for n in pitches}
    return [_named(chord.Chord([spelled[n] for n in pitches]), tonality) for pitches in chords]


def _spelled(number: int, tonality: key.Key) -> str:
    """Spell a pitch as the key does, in minor with its leading tone and the tone below it."""
    found = pitch.Pitch(number)
    scale = list(tonality.pitches)
    if tonality.mode == "minor":
        scale += [degree.transpose("A1") for degree in scale[5:7]]
    degree = next((each for each in scale if each.pitchClass == found.pitchClass), None)
    if degree is None:
        return str(found.nameWithOctave)
    found.step, found.accidental = degree.step, degree.accidental
    found.octave += round(number - found.ps) // 12
    return str(found.nameWithOctave)


def _named(found: chord.Chord, tonality: key.Key) -> tuple[str, str]:
    if not (found.isTriad() or found.isSeventh()):
        found.simplifyEnharmonics(inPlace=True, keyContext=tonality)
    name = str(found.pitchedCommonName)
    if not (found.isTriad() or found.isSeventh()):
        return name, ""
    figure = str(roman.romanNumeralFromChord(found, tonality).figure)
    natural = tonality.mode == "minor" and figure.startswith(("bVI", "bIII"))
    return name, figure[1:] if natural else figure
