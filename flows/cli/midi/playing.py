"""`midi play`: a score or a recording through the sound card."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data_json, is_terminal, talk
from musiccore.errors import AudioError, ConfigError
from musiccore.scores.score import Reading
from musiccore.timecode import whole_clock
from musiccore.work.stop import interrupt

_LINE_SECONDS = 10.0


def play(options: Namespace) -> int:
    from musiccore.synth.playback import Output, find_mixer, load_sound
    from musiccore.synth.playback import play as start
    from musiccore.synth.player import Player, check_effects
    from tasks.settings import process_settings

    with checking():
        output = Output(
            volume=options.volume,
            frequency=options.frequency,
            bitsize=options.bitsize,
            nof_channels=options.nof_channels,
            buffer=options.buffer,
        )
        source = _source(options)
        check_effects(options.engine, reverb=options.reverb, chorus=options.chorus)
        reading = Reading(encoding=options.encoding, strict=options.strict)
        here = process_settings()
    find_mixer()
    with _terminable():
        player = Player.find(
            options.engine,
            library=here.fluidsynth,
            soundfont=options.soundfont or here.soundfont,
            reverb=options.reverb,
            chorus=options.chorus,
        )
        if player.reason:
            talk(f"played on our own instruments: {player.reason}")
        try:
            audio = load_sound(
                source, output, player, reading=reading, warn=lambda odd: talk(f"{source}: {odd}")
            )
        except AudioError as error:
            raise BadRequest(error) from error
        with closing(_heard(start(audio, output), Path(source).name, audio.seconds)) as heard:
            for _ in heard:
                pass
    if options.json:
        data_json({"file": source, "seconds": round(audio.seconds, 3), **player.describe()})
    return Exit.DONE


def _source(options: Namespace) -> str:
    named = [name for name in (options.file, options.midi_file) if name]
    if len(named) != 1:
        raise ConfigError(
            "file: which file to play is not said" if not named else "file: two files are named",
            hint="jukeflow midi play song.mid",
        )
    return str(named[0])


def _heard(playing: Iterator[float], name: str, seconds: float) -> Generator[float, None, None]:
    """Pass the seconds on, and show them."""
    last = 0.0
    try:
        for heard in playing:
            if is_terminal():
                print(
                    f"\r{name}  {whole_clock(heard)} / {whole_clock(seconds)} ",
                    end="",
                    file=sys.stderr,
                )
                sys.stderr.flush()
            elif heard - last >= _LINE_SECONDS:
                last = heard
                talk(f"{name}: {whole_clock(heard)} of {whole_clock(seconds)}")
            yield heard
    finally:
        if is_terminal():
            talk()
        playing.close()  # type: ignore[attr-defined]


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the music as Ctrl-C does, so that the device is closed."""
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
