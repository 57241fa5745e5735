"""The words of `midi render`, `play`, `transcribe` and `roll`: between scores and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily, reading_options

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from flows.cli.words import Commands

_SCORE = "a MIDI, MusicXML, ABC or Humdrum file, or a chorale such as bwv66.6"


def sound_commands(commands: Commands) -> None:
    _render(commands)
    _play(commands)
    _transcribe(commands)
    _roll(commands)


def _render(commands: Commands) -> None:
    words = command(
        commands,
        "render",
        "play a score, a folder of them, or a Bach chorale into audio files",
        "jukeflow midi render bwv66.6 -o chorale.wav",
        lazily("midi.rendering", "render"),
    )
    add = words.add_argument
    add("source", metavar="SOURCE", help=f"{_SCORE}; or a folder of scores")
    add("-o", "--out", metavar="PATH", help="audio file, or folder")
    add("--to", metavar="FORMAT", help="format where --out names no file (wav)")
    add("--force", action="store_true", help="write over files that exist")
    _engine_options(words)
    add("--sample-rate", metavar="HZ", type=int, default=44_100, help="of the audio (44100)")
    add(
        "--loudness",
        metavar="LUFS",
        default="-16",
        help="loudness of the whole (-16); keep: the level of the instruments",
    )
    add("--transpose", metavar="N", type=int, default=0, help="semitones up or down (0)")
    add(
        "--tempo-scale",
        metavar="X",
        type=float,
        default=1.0,
        help="2 plays twice as fast, 0.5 half as fast (1)",
    )
    add(
        "--program",
        metavar="N",
        help="one instrument for all parts: a General MIDI number from 0, or a name such as organ",
    )
    reading_options(words)


def _play(commands: Commands) -> None:
    words = command(
        commands,
        "play",
        "play a score or a recording through the sound card",
        "jukeflow midi play song.mid --volume 0.5",
        lazily("midi.playing", "play"),
    )
    add = words.add_argument
    add("file", nargs="?", metavar="FILE", help=f"{_SCORE}; or audio")
    add("-mid", "--midi_file", metavar="FILE", help="the same")
    add("-vol", "--volume", metavar="V", type=float, default=0.8, help="0 to 1 (0.8)")
    add(
        "-freq",
        "--frequency",
        metavar="HZ",
        type=int,
        default=44_100,
        help="of the device, 8000 to 192000 (44100)",
    )
    add(
        "-bit",
        "--bitsize",
        metavar="N",
        type=int,
        default=-16,
        help="8, 16, -16 (signed) or 32 (float) (-16)",
    )
    add(
        "-c", "--nof_channels", metavar="N", type=int, default=2, help="speakers: 1, 2, 4, 6, 8 (2)"
    )
    add(
        "-buf",
        "--buffer",
        metavar="N",
        type=int,
        default=1024,
        help="samples handed over at a time, a power of two from 256 on (1024)",
    )
    _engine_options(words)
    reading_options(words)


def _engine_options(words: ArgumentParser) -> None:
    words.add_argument(
        "--engine",
        choices=("auto", "own", "fluidsynth"),
        default="auto",
        help="what plays scores: FluidSynth on a sound font, or our own instruments (auto)",
    )
    words.add_argument(
        "--soundfont", metavar="FILE", help="sound font for FluidSynth (SOUNDFONT, the system's)"
    )
    words.add_argument(
        "--reverb", action="store_true", help="add the sound of a room (FluidSynth alone can)"
    )
    words.add_argument(
        "--chorus", action="store_true", help="add several players for one (FluidSynth alone can)"
    )


def _transcribe(commands: Commands) -> None:
    words = command(
        commands,
        "transcribe",
        "write the melody of a recording as MIDI (experimental: one voice at a time)",
        "jukeflow midi transcribe melody.wav -o melody.mid",
        lazily("midi.transcribing", "transcribe"),
        store=True,
    )
    add = words.add_argument
    add("source", metavar="SOURCE", help="audio, or a run (a name of `jukeflow runs`)")
    add("--take", metavar="N", type=int, help="this take of the run; without it, the finished song")
    add("-o", "--out", metavar="FILE", help="MIDI file (the name of the source, here)")
    add("--program", metavar="N", default="0", help="instrument of the MIDI file (0, a piano)")
    add("--force", action="store_true", help="write over a file that exists")
    add("--strict", action="store_true", help="refuse audio that is damaged or ends early")


def _roll(commands: Commands) -> None:
    words = command(
        commands,
        "roll",
        "draw a score as a piano roll",
        "jukeflow midi roll bwv66.6 -o chorale.png",
        lazily("midi.rolls", "roll"),
    )
    words.add_argument("source", metavar="SOURCE", help=_SCORE)
    words.add_argument("-o", "--out", metavar="FILE", help="PNG file (the score's name, here)")
    words.add_argument("--force", action="store_true", help="write over a file that exists")
    reading_options(words)
