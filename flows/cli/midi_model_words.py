"""The words of `midi compose` and `midi train`: the recurrent model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily, reading_options

if TYPE_CHECKING:
    from flows.cli.words import Commands

_SCORE = "a score, or a chorale such as bwv66.6"


def model_commands(commands: Commands) -> None:
    _compose(commands)
    _train(commands)


def _compose(commands: Commands) -> None:
    words = command(
        commands,
        "compose",
        "compose a chorale, continue music, or find voices for a melody",
        "jukeflow midi compose --seed 1 --seconds 20 -o x.mid",
        lazily("midi.composing", "compose"),
    )
    add = words.add_argument
    add("-o", "--out", metavar="PATH", help="MIDI file or folder (chorale-SEED.mid, here)")
    add("--force", action="store_true", help="write over files that exist")
    add("--count", metavar="N", type=int, default=1, help="pieces; the seed counts on (1)")
    add("--seed", metavar="N", type=int, default=0, help="same seed, same piece (0)")
    length = words.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        help="length, 3 to 600 (30). The piece ends with a cadence near it: without --tempo the "
        "tempo bends by up to 12 %% so that mostly the seconds are met, else it is at most two "
        "bars away, or a quarter of the length if that is less. With --continue: length of what "
        "is added",
    )
    length.add_argument("--bars", metavar="N", type=int, help="length in bars instead, 1 to 256")
    add("--key", metavar="KEY", default="", help="such as `A`, `Bb` or `F# minor` (as drawn)")
    add("--mode", choices=("major", "minor"), help="of the piece (as drawn)")
    add("--tempo", metavar="BPM", type=float, help="quarter notes a minute, 30 to 240 (near 84)")
    add(
        "--temperature",
        metavar="T",
        type=float,
        default=0.95,
        help="1 draws as Bach's chorales are; less is safer, more is bolder (0.95)",
    )
    add(
        "--top-p",
        metavar="P",
        type=float,
        default=0.98,
        help="only the likeliest notes up to P; 1 is all (0.98)",
    )
    add("--parallels", action="store_true", help="allow parallel fifths and octaves")
    add("--continue", dest="continued", metavar="FILE", help=f"begin with this music: {_SCORE}")
    add("--harmonise", metavar="FILE", help=f"keep this melody and find its voices: {_SCORE}")
    add(
        "--instruments",
        choices=("choir", "strings", "organ", "piano"),
        default="choir",
        help="who plays (choir)",
    )
    add("--title", metavar="TEXT", default="", help="of the piece")
    add("--model", metavar="FOLDER", help="a model of `midi train` (the one of the package)")
    reading_options(words)


def _train(commands: Commands) -> None:
    words = command(
        commands,
        "train",
        "train the recurrent model; a training that was stopped goes on where it stopped",
        "jukeflow midi train chorales --minutes 12 --out model/",
        lazily("midi.training", "train"),
    )
    add = words.add_argument
    add("source", metavar="SOURCE", help="`chorales` (J. S. Bach's), or a folder of MIDI files")
    add("--out", metavar="FOLDER", required=True, help="where model and state go")
    add("--minutes", metavar="M", type=float, default=12.0, help="CPU minutes to spend (12)")
    add("--steps", metavar="N", type=int, help="steps instead, whatever time they take")
    add("--grid", choices=("1/16", "1/8", "1/4"), default="1/16", help="length of a step (1/16)")
    add("--voices", metavar="N", type=int, default=4, help="voices of a folder's pieces (4)")
    add("--seed", metavar="N", type=int, default=0, help="same seed, same model (0)")
    add("--width", metavar="N", type=int, help="of the recurrent layers (256)")
    add("--dropout", metavar="P", type=float, help="share of units silenced (0.45)")
    add("--unheard", metavar="P", type=float, help="share of facts left out (0.15)")
    add(
        "--test",
        action="store_true",
        help="judge by the test chorales as well, and count faults in 50 pieces that are drawn",
    )
    reading_options(words)
