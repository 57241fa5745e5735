"""Training audio of the embedded model: chorales, played by our own synthesiser.

Everything is a function of the music21 package's scores and of the seeds here, so anyone can make
the same data again. Rendered audio is kept as 16-bit mono in one flat file per rendition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiccore.models.nano import ARTISTS, GENRES, HELD_OUT, SAMPLE_RATE
from musiccore.scores.notation import Note, Piece, chorale_names, read_chorale
from musiccore.storage.atomic import replace_file
from musiccore.synth.nano_piano import PlayingStyle, render

QUARTER_SECONDS = 0.7
LONGEST_SECONDS = 48.0
_FULL_SCALE = 32767 / 1.5  # rendered peaks reach about 0.8; head room for louder chords


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRendition:
    """One way of playing the whole corpus.

    Attributes:
        tempo: factor on the duration of a quarter note.
        transpose: largest random transposition in semitones; 0 keeps C major and A minor.
    """

    name: str
    tempo: float
    transpose: int
    seed: int


RENDITIONS: tuple[CorpusRendition, ...] = (
    CorpusRendition(name="plain", tempo=1.0, transpose=0, seed=1),
    CorpusRendition(name="slow", tempo=1.09, transpose=0, seed=2),
    CorpusRendition(name="fast", tempo=0.92, transpose=0, seed=3),
    CorpusRendition(name="moved", tempo=1.0, transpose=2, seed=4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Where one rendered piece lies in the flat file: samples [start, stop), and its labels."""

    piece: str
    mode: str
    start: int
    stop: int

    @property
    def label_ids(self) -> tuple[int, tuple[int, int]]:
        """Artist id and the two genre ids."""
        return ARTISTS["bach"], (GENRES["piano"], GENRES[self.mode])


def read_pieces(folder: Path) -> list[Piece]:
    """Return all chorales in C major or A minor; parsed once, then kept in `pieces.json`."""
    cache = folder / "pieces.json"
    if not cache.exists():
        parsed = [read_chorale(name).in_c_or_a() for name in chorale_names()]
        rows = [
            {
                "name": p.name,
                "tonic": p.tonic,
                "mode": p.mode,
                "notes": [[n.onset, n.duration, n.pitch, n.part] for n in p.notes],
            }
            for p in parsed
        ]
        replace_file(cache, json.dumps(rows).encode())
    return [
        Piece(
            name=row["name"],
            tonic=row["tonic"],
            mode=row["mode"],
            notes=tuple(
                Note(onset=o, duration=d, pitch=p, part=part) for o, d, p, part in row["notes"]
            ),
        )
        for row in json.loads(cache.read_text())
    ]


def play(piece: Piece, *, tempo: float = 1.0, seed: int = 1) -> npt.NDArray[np.float32]:
    """Render one piece as nano hears it: mono [time] at 16 kHz, RMS 0.1, at most 48 s."""
    quarter = QUARTER_SECONDS * tempo
    last = max(note.onset + note.duration for note in piece.notes)
    seconds = min(last * quarter + 0.5, LONGEST_SECONDS)
    performance = PlayingStyle(quarter_seconds=quarter, seed=seed)
    return render(piece.notes, performance, SAMPLE_RATE, seconds=seconds)


def _piece_seed(name: str, rendition: CorpusRendition) -> int:
    letters: int = sum(ord(c) * 31**i for i, c in enumerate(name)) % 2**31
    return rendition.seed * 1_000_003 + letters


def _write_rendition(folder: Path, pieces: Iterable[Piece], rendition: CorpusRendition) -> None:
    clips: list[dict[str, object]] = []
    position = 0
    aside = folder / f".{rendition.name}.i16.tmp"
    with aside.open("wb") as file:
        for piece in pieces:
            seed = _piece_seed(piece.name, rendition)
            draw = np.random.Generator(np.random.Philox(key=seed))
            moved = piece.transposed(
                int(draw.integers(-rendition.transpose, rendition.transpose + 1))
            )
            audio = play(moved, tempo=rendition.tempo, seed=seed)
            pcm = np.clip(np.round(audio * _FULL_SCALE), -32768, 32767).astype(np.int16)
            file.write(pcm.tobytes())
            clips.append(
                {
                    "piece": piece.name,
                    "mode": piece.mode,
                    "start": position,
                    "stop": position + len(pcm),
                }
            )
            position += len(pcm)
    aside.replace(folder / f"{rendition.name}.i16")
    replace_file(folder / f"{rendition.name}.json", json.dumps(clips).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedCorpus:
    """One rendition in a memory-mapped file.

    Attributes:
        pcm: int16 [time], all pieces one after the other.
    """

    rendition: CorpusRendition
    clips: tuple[Clip, ...]
    pcm: npt.NDArray[np.int16]

    def audio(self, start: int, n_samples: int) -> npt.NDArray[np.float32]:
        """Return samples [n_samples] as float32."""
        return self.pcm[start : start + n_samples].astype(np.float32) / np.float32(_FULL_SCALE)


def prepare_corpus(folder: Path) -> list[RenderedCorpus]:
    """Render what is missing in `folder`, then open every rendition of the training pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / f"{r.name}.json").exists() for r in RENDITIONS):
        pieces = [p for p in read_pieces(folder) if p.name not in HELD_OUT]
        for rendition in RENDITIONS:
            if not (folder / f"{rendition.name}.json").exists():
                _write_rendition(folder, pieces, rendition)
    out = []
    for rendition in RENDITIONS:
        rows = json.loads((folder / f"{rendition.name}.json").read_text())
        pcm = np.memmap(folder / f"{rendition.name}.i16", dtype=np.int16, mode="r")
        clips = tuple(Clip(**row) for row in rows)
        out.append(RenderedCorpus(rendition=rendition, clips=clips, pcm=pcm))
    return out


def held_out_audio() -> dict[str, npt.NDArray[np.float32]]:
    """Return the held-out pieces as audio, rendered afresh: name to mono [time] at 16 kHz."""
    return {name: play(read_chorale(name).in_c_or_a()) for name in HELD_OUT}
