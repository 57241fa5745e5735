"""ABC as music21 understands it: what it passes over without a word is written out, or named.

music21 reads notes, chords, ties, tuplets, broken rhythms and repeats. It passes over inline
fields, rests of several bars, repeated bars and decorations by letter, takes each line of a voice
for a voice of its own, and lets an accidental end with its note. Here each of them becomes plain
notes.

Specification: "The ABC music standard 2.1", sections 3 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from musiccore.scores.notation.abckeys import SIGNS, accidentals_of

Warn = Callable[[str], object]

_TOKEN: Final = re.compile(
    r"""
    (?P<field>\[[A-Za-z]:[^\]\n]*\])
  | (?P<text>"[^"\n]*")
  | (?P<mark>![^!\n]{1,40}!|\+[A-Za-z0-9.()<>]{1,40}\+)
  | (?P<grace>\{[^}\n]*\})
  | (?P<bar>\.?(?::*\|+:*\]?:*|::+|\[\|\]?|\|\])(?:[ ]*\[?[1-9][0-9,\-]*)?|\[[1-9][0-9,\-]*)
  | (?P<note>(?P<sign>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*))
  | (?P<rest>[zx](?P<length>[0-9]*/*[0-9]*))
  | (?P<bars>[ZX](?P<number>[0-9]*))
  | (?P<again>//?(?=[ ]*(?:\||$)))
  | (?P<space>y[0-9/]*|`|\\)
  | (?P<overlay>&)
  | (?P<letters>[H-WYh-w~.](?=["!+~.H-WYh-w({\[^_=A-Ga-gzx]))
  | (?P<other>[^\n])
    """,
    re.VERBOSE,
)
_CLOSES: Final = re.compile(r"\.?(:+?)(?=\||:+$)")
_OPENS: Final = re.compile(r"\|:+|^::+")
_ORDER: Final = "the order of parts (P:) is not followed"
_MOST_BARS: Final = 999  # of one rest
_MOST_ENDINGS: Final = 99
_FIELD: Final = re.compile(r"([A-Za-z]):(.*)")
_JUMPS: Final = re.compile(r"D\.?[CS]\.?|segno|coda|fine|dacapo|dacoda", re.IGNORECASE)
_MIDI: Final = re.compile(r"^(?:%%\s*|I:\s*)(MIDI|transpose)\b", re.IGNORECASE)
_HEADED: Final = "XTCMLQ"  # fields of the header that music21 makes something of
_CLEF: Final = re.compile(
    r"(clef|octave|transpose|middle|shift|stafflines)=|(treble|bass|alto|tenor|perc)"
)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What counts at a place of a voice: the fields K, M and L, as they are written."""

    key: str
    meter: str
    unit: str

    def lines(self, before: _Setting) -> list[str]:
        """Return the fields that change from another setting to this one."""
        names = ("K", "M", "L")
        pairs = zip(names, self._texts(), before._texts(), strict=True)
        return [f"{name}:{text}" for name, text, old in pairs if text != old]

    def _texts(self) -> tuple[str, str, str]:
        return "D" if self.key[:2].upper() == "HP" else self.key, self.meter, self.unit

    def length(self) -> str:
        """Return the length of a bar in unit notes, as ABC writes it."""
        bar = _meter(self.meter) or Fraction(1)
        short = bar < Fraction(3, 4)
        length = bar / (_fraction(self.unit) or Fraction(1, 16 if short else 8))
        return str(length)


@dataclass(slots=True)
class Bar:
    """What stands between two bar lines.

    Attributes:
        text: plain ABC.
        begin: what counts where it begins.
        end: what counts where it ends.
        opens: whether a repeat begins with it.
        closes: how often it sends back to where the repeat began.
        endings: the passes in which it is played; empty for all.
        is_last: whether a thick or double line ends it, and with it an ending.
    """

    begin: _Setting
    end: _Setting
    text: str = ""
    opens: bool = False
    closes: int = 0
    endings: frozenset[int] = frozenset()
    is_last: bool = False


class _Voice:
    """What has been read of one voice: whole bars, and the one that is being read."""

    def __init__(self, setting: _Setting) -> None:
        self.bars: list[Bar] = []
        self.bar = Bar(setting, setting)
        self.signs: dict[str, int] = {}  # accidentals of the bar so far, by letter
        self.endings: frozenset[int] = frozenset()

    def change(self, **fields: str) -> None:
        """Let other fields count from here on; before the first note, from the bar line on."""
        self.bar.end = replace(self.bar.end, **fields)
        if not self.bar.text.strip():
            self.bar.begin = self.bar.end

    def end_bar(self, line: str = "|") -> None:
        """End the bar with a line."""
        closes, opens = _CLOSES.match(line), _OPENS.search(line)
        ending = re.search(r"[1-9][0-9,\-]*$", line)
        is_thick = "||" in line or "]" in line
        self.bar.text = self.bar.text.partition("&")[0]
        if self.bar.text.strip():
            self.bar.closes = len(closes[1]) if closes else 0
            self.bar.is_last = is_thick
            self.bar.endings = self.endings
            self.bars.append(self.bar)
            self.bar = Bar(self.bar.end, self.bar.end)
        elif closes and self.bars:
            self.bars[-1].closes = max(self.bars[-1].closes, len(closes[1]))
        self.signs = {}
        self.bar.opens = self.bar.opens or bool(opens)
        if closes or opens or is_thick or ending:
            self.endings = frozenset(_numbers(ending[0])) if ending else frozenset()

    def lines(self, start: _Setting, *, repeats: bool) -> Iterator[str]:
        """Yield the voice as lines of plain ABC, one a bar, repeats written out."""
        self.end_bar()
        now = start
        for bar in played(self.bars) if repeats else self.bars:
            yield from bar.begin.lines(now)
            yield f"{bar.text.strip()} |"
            now = replace(bar.begin, unit=bar.end.unit)  # of what changes within, only L is told


def played(bars: list[Bar]) -> Iterator[Bar]:
    """Yield bars in the order in which they are played; signs that make no sense send nowhere."""
    at = first = 0
    number = 1
    while at < len(bars):
        bar = bars[at]
        if bar.opens and at != first:
            first, number = at, 1
        if not bar.endings or number in bar.endings:
            if not bar.endings and at != first and bars[at - 1].endings:
                first, number = at, 1  # an ending that sends nowhere is over
            yield bar
            last = max([bar.closes + 1, *_endings_after(bars, at)])
            if bar.closes and number < last:
                at, number = first, number + 1
                continue
            if bar.closes:
                first, number = at + 1, 1
        at += 1


def _endings_after(bars: list[Bar], at: int) -> Iterator[int]:
    """Yield the passes of an ending and of those that follow it."""
    for bar in bars[at:]:
        if not bar.endings:
            return
        yield from bar.endings


def _numbers(text: str) -> Iterator[int]:
    for part in text.split(","):
        low, _, high = part.partition("-")
        if low:
            yield from range(int(low), min(int(high or low), int(low) + _MOST_ENDINGS) + 1)


def plain_abc(tune: str, *, repeats: bool = True) -> tuple[str, tuple[str, ...]]:
    """Write one tune so that music21 reads all of it.

    Args:
        tune: its header and its body.
        repeats: write what is to be repeated again.

    Returns:
        The same tune, and what of it is not understood, one sentence per kind.
    """
    warnings: dict[str, None] = {}
    header, body = _parted(tune)
    reader = _Reader(header, warnings.setdefault)
    for line in body:
        reader.read(line)
    return reader.text(repeats=repeats), tuple(warnings)


def _parted(tune: str) -> tuple[list[str], list[str]]:
    """Split after the key, which ends the header."""
    lines = tune.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("K:"):
            return lines[: number + 1], lines[number + 1 :]
    return [], lines


class _Reader:
    """Reads a tune line by line, and keeps the voices apart."""

    def __init__(self, header: list[str], warn: Warn) -> None:
        self._warn = warn
        self._header: list[str] = []
        self._about: dict[str, str] = {}  # voice → what the header says of it
        self._voices: dict[str, _Voice] = {}
        self._now = ""
        said: dict[str, str] = {}
        for line in header:
            self._look(line)
            if found := _FIELD.match(_uncommented(line)):
                said[found[1]] = found[2].strip()
                if found[1] == "V":
                    self._describe(found[2].strip())
                if found[1] == "P" and len(said["P"]) > 1:
                    self._warn(_ORDER)
                if found[1] in _HEADED:
                    self._header.append(line)
        self._start = _Setting(said.get("K", ""), said.get("M", ""), said.get("L", ""))
        if header:
            self._look_at_key(self._start.key)
            self._header.extend(self._start.lines(replace(self._start, key="\0")))

    def text(self, *, repeats: bool) -> str:
        """Return the tune."""
        lines = list(self._header)
        for number, (name, voice) in enumerate(self._voices.items(), 1):
            if name:  # of which music21 knows numbers alone
                lines.append(f"V:{number} {self._about.get(name, '')}".rstrip())
            lines.extend(voice.lines(self._start, repeats=repeats))
        return "\n".join(lines) + "\n"

    def read(self, line: str) -> None:
        """Take a line of the body."""
        self._look(line)
        line = _uncommented(line).rstrip()
        if found := _FIELD.match(line):
            self._field(found[1], found[2].strip())
            return
        for token in _TOKEN.finditer(line):
            self._take(token)
        self._voice.bar.text += " "  # a bar may go on in the next line

    def _look(self, line: str) -> None:
        if found := _MIDI.match(line):
            self._warn(f"%%{found[1]} lines are not followed")
        elif line[:2] in ("U:", "m:"):
            self._warn(f"symbols that the tune defines itself ({line[:2]}) are not understood")

    def _look_at_key(self, value: str) -> None:
        if re.search(r"\b(octave|transpose|shift|sound|score|middle)=", value):
            self._warn("transposition by K: or V: is not followed")

    def _describe(self, value: str) -> str:
        """Keep what a field says of a voice; return its name."""
        name, _, about = value.partition(" ")
        self._look_at_key(about)
        if about:
            self._about[name] = about
        return name

    @property
    def _voice(self) -> _Voice:
        if self._now not in self._voices:
            self._voices[self._now] = _Voice(self._start)
        return self._voices[self._now]

    def _field(self, name: str, value: str) -> None:
        """Follow a field of the body, on a line of its own or inline."""
        self._look(f"{name}:{value}")
        if name == "V":
            self._now = self._describe(value)
        elif name == "K":
            self._look_at_key(value)
            if not _CLEF.match(value):  # which leaves the key as it is
                self._voice.change(key=value)
        elif name == "M":
            self._voice.change(meter=value)
        elif name == "L":
            bar = self._voice.bar
            if bar.text.strip():
                bar.text += f"\nL:{value}\n"
            self._voice.change(unit=value)
        elif name == "Q":
            self._voice.bar.text += f"\nQ:{value}\n"
        elif name == "P" and not value.isalpha():
            self._warn(_ORDER)
        elif name == "w":
            self._warn("words (w:) are left out")

    def _take(self, token: re.Match[str]) -> None:
        voice, kind, text = self._voice, token.lastgroup, token[0]
        if kind == "note":
            voice.bar.text += self._note(token)
        elif kind == "field":
            self._field(text[1], text[3:-1].strip())
        elif kind == "mark" and _JUMPS.search(text):
            self._warn("jumps (D.C., segno, coda) are not followed")
        elif kind == "grace":
            voice.bar.text += re.sub(r"[H-WYh-w~.]", "", text)
        elif kind == "bar":
            voice.end_bar(text)
        elif kind == "rest":
            voice.bar.text += f"z{token['length']}"
        elif kind == "bars":
            self._rest(int(token["number"] or 1))
        elif kind == "again" and not voice.bar.text.strip():
            self._repeat(len(text))
        elif kind == "overlay":
            self._warn("voices laid over a bar (&) are left out")
            voice.bar.text += "&"
        elif kind in ("other", "again"):  # a slash halves a length, too
            voice.bar.text += text

    def _note(self, token: re.Match[str]) -> str:
        """Return a note with the accidental that counts, where music21 would take another."""
        voice, letter = self._voice, token["letter"].upper()
        if token["sign"]:
            voice.signs[letter] = SIGNS[token["sign"]]
        counts = voice.signs.get(letter, accidentals_of(voice.bar.end.key).get(letter, 0))
        shown = accidentals_of(voice.bar.begin.key, only_name=True).get(letter, 0)
        name = f"{token['letter']}{token['octave']}"
        if token["sign"] or counts == shown:
            return f"{token['sign'] or ''}{name}"
        return next(sign for sign, value in SIGNS.items() if value == counts) + name

    def _rest(self, number: int) -> None:
        """Rest for whole bars."""
        voice = self._voice
        rest = f"z{voice.bar.end.length()}"
        for _ in range(min(number, _MOST_BARS) - 1):
            voice.bar.text += rest
            voice.end_bar()
        voice.bar.text += rest

    def _repeat(self, number: int) -> None:
        """Play the last bar, or the last two, again."""
        voice = self._voice
        if len(voice.bars) < number:
            self._warn("a sign that repeats bars stands before any")
            return
        first, *others = [bar.text for bar in voice.bars[-number:]]
        voice.bar.text = first
        for other in others:
            voice.end_bar()
            voice.bar.text = other


def _uncommented(line: str) -> str:
    return re.sub(r"(?<!\\)%.*", "", line)


def _meter(text: str) -> Fraction | None:
    """Return the length of a bar in whole notes; None where there are none."""
    word = text.strip()
    if word in ("C", "C|"):
        return Fraction(1)
    return _fraction(word)


def _fraction(text: str) -> Fraction | None:
    found = re.match(r"\(?([0-9+ ]+)\)?/([0-9]+)", text.strip())
    if found is None or not int(found[2]):
        return None
    beats = sum(int(number) for number in re.findall(r"[0-9]+", found[1]))
    return Fraction(beats, int(found[2])) if beats else None


def fewest_notes(plain: str) -> int:
    """Return how many notes a plain tune has at least: those it writes, less what ties may join."""
    music = [line for line in plain.splitlines() if not _FIELD.match(line)]
    notes = sum(bool(token["note"]) for line in music for token in _TOKEN.finditer(line))
    return notes - sum(line.count("-") for line in music)
