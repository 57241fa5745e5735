"""The words of `convert`. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from flows.cli.words import Commands

_EXAMPLES = """\
examples:
  jukeflow convert in.wav out.mp3
  jukeflow convert album --to flac --out album-flac
  jukeflow convert 'album/**/*.wav' gs://bucket/in --to opus --out s3://bucket/out
  jukeflow convert song.flac song.mp3 --loudness -14 --fade-out 4
  jukeflow convert inbox --to flac --out done --new
  some-program | jukeflow convert - - --to mp3 > song.mp3
  jukeflow convert --join intro.wav verse.wav song.flac --crossfade 2
  jukeflow convert --stereo left.wav centre.wav right.wav wide.flac --delays 0,20,40

formats: wav rf64 w64 flac mp3 ogg opus aiff caf au; with ffmpeg also m4a aac wma webm, and the
sound of videos. Patterns in quotes go through folders with **. What is there already is left alone.
exit codes: 0 all is there, 1 it cannot be written, 2 the request or the only file is wrong,
4 interrupted, 5 a program is missing, 6 some of several files failed
"""


def convert_command(commands: Commands) -> None:
    words = command(
        commands,
        "convert",
        "convert audio: files, folders, patterns and store addresses, to any format",
        "",
        lazily("converting", "convert"),
    )
    words.epilog = _EXAMPLES
    words.add_argument(
        "inputs",
        nargs="*",
        metavar="IN",
        help="IN OUT, or any number with --to; - is standard input or output",
    )
    words.add_argument(
        "--input", "-in", action="append", metavar="IN", default=[], help="the same as IN"
    )
    words.add_argument("--to", metavar="FORMAT", help="format wanted (default: as OUT is called)")
    words.add_argument(
        "--out",
        "--output",
        "-out",
        "-o",
        metavar="OUT",
        help="file, or folder with --to (default: beside the source)",
    )
    words.add_argument("--force", action="store_true", help="write over files that exist")
    words.add_argument("--dry-run", action="store_true", help="only say what would become what")
    words.add_argument("--jobs", metavar="N", type=int, default=0, help="files at once (all cores)")
    words.add_argument(
        "--new",
        action="store_true",
        help="only what is new or changed since the last time, which OUT remembers",
    )
    words.add_argument(
        "--quiet-seconds",
        metavar="S",
        type=float,
        default=10.0,
        help="with --new: leave files that changed so lately for the next time (10)",
    )
    _form(words)
    _sound(words)
    _several(words)


def _form(words: ArgumentParser) -> None:
    add = words.add_argument_group("form of the files").add_argument
    add("--rate", metavar="HZ", type=int, help="sample rate (as the source, if the format can)")
    add("--channels", metavar="N", type=int, help="1 is mono, 2 stereo (as the source)")
    add("--bits", metavar="B", help="8, 16, 24, 32, float or double (as the source; 16 for lossy)")
    add("--bitrate", metavar="K", type=int, help="kbit/s of lossy formats (192 for stereo)")
    add("--no-dither", action="store_true", help="round samples without dither")
    add(
        "--strict",
        action="store_true",
        help="refuse damaged files, changes nobody asked for, and tags that would be lost",
    )
    add(
        "--tag-encoding",
        metavar="NAME",
        help="of old tags that say none: shift_jis, gbk, cp1251, ..., or auto (UTF-8 or Latin-1)",
    )
    add("--engine", metavar="NAME", default="auto", help="auto, soundfile, ffmpeg or pydub (auto)")
    add("--ffmpeg", metavar="PATH", help="the program (FFMPEG_BINARY, PATH, extra `ffmpeg`)")


def _sound(words: ArgumentParser) -> None:
    add = words.add_argument_group("sound").add_argument
    add("--loudness", metavar="LUFS", type=float, help="integrated loudness, such as -14")
    add("--true-peak", metavar="DB", type=float, default=-1.0, help="ceiling with --loudness (-1)")
    add("--start", metavar="T", help="begin at this time: 4s, 0:04, 1:02.5")
    add("--end", metavar="T", help="end at this time of the source")
    add("--seconds", metavar="T", help="exact length: cut, or silence added")
    add("--fade-in", metavar="T", help="rise from silence")
    add("--fade-out", metavar="T", help="fall to silence")
    add(
        "--on-clip",
        choices=("normalise", "clip", "error"),
        default="normalise",
        help="what to do beyond full scale (normalise: turn the whole file down)",
    )


def _several(words: ArgumentParser) -> None:
    group = words.add_argument_group("several files into one")
    which = group.add_mutually_exclusive_group()
    which.add_argument("--join", action="store_true", help="one after the other: IN IN ... OUT")
    which.add_argument(
        "--stereo",
        action="store_true",
        help="side by side: LEFT CENTRE RIGHT OUT, or LEFT RIGHT OUT",
    )
    group.add_argument("--crossfade", metavar="T", help="with --join: let neighbours overlap")
    group.add_argument(
        "--delays", metavar="MS,MS,MS", help="with --stereo: milliseconds each comes later"
    )
