"""FluidSynth, called through ctypes: a score on the instruments of a sound font.

The only door to that library. It is found on the system or inside the wheel of the extra `play`;
sound fonts are found on this machine and never come with this program. Reverb and chorus are off
unless asked for, and blocks are of one size, so that the same score, font and library give the
same samples.

A font may play an instrument with a sample on each side. MIDI's pan moves both of them by the same
distance, so that hard left leaves one in the middle; a balance that follows the pan silences it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore.errors import ConfigError, MissingProgram
from musiccore.scores.score import Control, Score
from musiccore.synth.expression import PAN, SUSTAIN, controls_of, last_pedal_up
from musiccore.synth.soundfonts import HINT, SoundFont, find_font, package_folder

Samples = npt.NDArray[np.float32]

_BLOCK = 1 << 17  # samples made at a time
_SETTLE_BLOCK = 64  # samples in which the library computes
_GAIN = 0.4
_VOICES = 512
_CHECK_RATE = 44_100
_MAX_CHANNELS = 256
_MELODIC_CHANNEL_TYPE, _DRUM_CHANNEL_TYPE = 0, 1
_BALANCE = 8  # the controller
_CENTRE, _HALF = 64, 63  # of pan and balance
_QUIET_LEVELS = 5  # levels of the library's log


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What FluidSynth adds to the instruments, by the depth that the score asks for.

    Attributes:
        reverb: the sound of a room (controller 91).
        chorus: several players who are not quite together (controller 93).
    """

    reverb: bool = False
    chorus: bool = False


DRY: Final = Effects()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidSynth:
    """The library and a sound font, both found.

    Attributes:
        library: path or name of the shared library.
        font: what it plays on.
        effects: what is added to the dry sound.
    """

    library: str
    font: SoundFont
    effects: Effects = DRY

    def version(self) -> str:
        """Return the version of the library."""
        return str(_load(self.library).fluid_version_str().decode())

    def check(self) -> None:
        """Load the sound font once.

        Raises:
            MissingProgram: if the library refuses it.
        """
        with self._synth(1, _CHECK_RATE):
            pass

    def stream(self, score: Score, sample_rate: int, n_samples: int) -> Iterator[Samples]:
        """Play a score.

        Args:
            score: any score.
            sample_rate: Hz, 8000 to 96000.
            n_samples: length of all blocks together.

        Yields:
            Stereo blocks [2, time].

        Raises:
            MissingProgram: if the library refuses the sound font, or fails.
        """
        events = iter(_events(score, sample_rate))
        event = next(events, None)
        with self._synth(len(score.parts), sample_rate) as synth:
            for start in range(0, n_samples, _BLOCK):
                block = np.zeros((2, min(_BLOCK, n_samples - start)), dtype=np.float32)
                done, stop = start, start + block.shape[1]
                while event is not None and event.sample < stop:
                    synth.write(block[:, done - start : event.sample - start])
                    done = event.sample
                    synth.send(event)
                    event = next(events, None)
                synth.write(block[:, done - start :])
                yield block

    def _synth(self, n_channels: int, sample_rate: int) -> _Synth:
        return _Synth(_load(self.library), self.font, self.effects, n_channels, sample_rate)


def find_fluidsynth(
    *,
    library: str | os.PathLike[str] = "",
    soundfont: str | os.PathLike[str] = "",
    effects: Effects = DRY,
) -> FluidSynth:
    """Find the library and a sound font.

    Args:
        library: path of the library; empty looks on the system, then in the extra `play`.
        soundfont: path of a sound font; empty looks in the folders of the system, then for the
            one that pretty_midi brings.
        effects: what is added to the dry sound.

    Raises:
        ConfigError: if a path that was given is wrong.
        MissingProgram: if one of them is missing or of no use; the message says which.
    """
    named = find_font(soundfont) if os.fspath(soundfont) else None  # a wrong path is said first
    found_library = find_library(os.fspath(library))
    found = FluidSynth(library=found_library, font=named or find_font(), effects=effects)
    found.check()
    return found


# The library ------------------------------------------------------------------------------------


def find_library(given: str = "") -> str:
    """Find the shared library.

    Args:
        given: its path; empty looks on the system, then in the extra `play`.

    Raises:
        ConfigError: if the path is wrong.
        MissingProgram: if it is nowhere.
    """
    if given:
        if not Path(given).expanduser().is_file():
            raise ConfigError(f"fluidsynth: {given!r} does not exist", hint="check the path")
        return str(Path(given).expanduser())
    for candidate in _libraries():
        try:
            _load(candidate)
        except MissingProgram:
            continue
        return candidate
    raise MissingProgram("FluidSynth is not on this machine", hint=HINT, extra="play")


def _libraries() -> Iterator[str]:
    system = ctypes.util.find_library("fluidsynth") or ctypes.util.find_library("libfluidsynth")
    if system:
        yield system
    package = package_folder("pygame")
    # Wheels put their libraries beside the package (Linux), into it (Windows) or below it (macOS).
    for folder in ("pygame_ce.libs", "pygame.libs", "pygame", "pygame/.dylibs"):
        for path in sorted((package.parent / folder).glob("libfluidsynth*")):
            yield str(path)


def _load(library: str) -> ctypes.CDLL:
    """Open the library and tell ctypes the types of what is called.

    Raises:
        MissingProgram: if it cannot be opened, or is another library.
    """
    try:
        if sys.platform == "win32":  # its own libraries lie beside it
            os.add_dll_directory(str(Path(library).parent))
        lib = ctypes.CDLL(library)
        for name, result, arguments in _FUNCTIONS:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, list(arguments)
    except (OSError, AttributeError) as error:
        raise MissingProgram(
            f"fluidsynth: {library!r} cannot be used: {error}", hint=HINT, extra="play"
        ) from error
    return lib


_HANDLE, _INT, _TEXT, _REAL = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_double
_FUNCTIONS: Final[Sequence[tuple[str, type | None, tuple[type, ...]]]] = (
    ("fluid_version_str", _TEXT, ()),
    ("fluid_set_log_function", _HANDLE, (_INT, _HANDLE, _HANDLE)),
    ("new_fluid_settings", _HANDLE, ()),
    ("delete_fluid_settings", None, (_HANDLE,)),
    ("fluid_settings_setnum", _INT, (_HANDLE, _TEXT, _REAL)),
    ("fluid_settings_setint", _INT, (_HANDLE, _TEXT, _INT)),
    ("new_fluid_synth", _HANDLE, (_HANDLE,)),
    ("delete_fluid_synth", None, (_HANDLE,)),
    ("fluid_synth_sfload", _INT, (_HANDLE, _TEXT, _INT)),
    ("fluid_synth_set_channel_type", _INT, (_HANDLE, _INT, _INT)),
    ("fluid_synth_program_change", _INT, (_HANDLE, _INT, _INT)),
    ("fluid_synth_noteon", _INT, (_HANDLE, _INT, _INT, _INT)),
    ("fluid_synth_noteoff", _INT, (_HANDLE, _INT, _INT)),
    ("fluid_synth_cc", _INT, (_HANDLE, _INT, _INT, _INT)),
    ("fluid_synth_pitch_bend", _INT, (_HANDLE, _INT, _INT)),
    ("fluid_synth_channel_pressure", _INT, (_HANDLE, _INT, _INT)),
    (
        "fluid_synth_write_float",
        _INT,
        (_HANDLE, _INT, _HANDLE, _INT, _INT, _HANDLE, _INT, _INT),
    ),
)


@dataclass(frozen=True, slots=True)
class _Event:
    """What is sent to a channel, and when; at one sample: notes end, controls, notes begin."""

    sample: int
    order: int
    channel: int
    function: str
    data: tuple[int, ...] = field(default=())


def _events(score: Score, sample_rate: int) -> list[_Event]:
    events: list[_Event] = []

    def add(seconds: float, order: int, channel: int, function: str, *data: int) -> None:
        events.append(_Event(round(seconds * sample_rate), order, channel, function, data))

    for index, part in enumerate(score.parts):
        channel = index % _MAX_CHANNELS  # a part is a player of its own
        kind = _DRUM_CHANNEL_TYPE if part.is_drums else _MELODIC_CHANNEL_TYPE
        add(0.0, -2, channel, "set_channel_type", kind)
        add(0.0, -1, channel, "program_change", part.program)
        for control in _balanced(controls_of(score, index)):
            seconds = score.seconds_at(control.tick)
            if control.kind == 0xB:
                add(seconds, 1, channel, "cc", *control.data)
            elif control.kind == 0xC:
                add(seconds, 1, channel, "program_change", *control.data)
            elif control.kind == 0xD:
                add(seconds, 1, channel, "channel_pressure", *control.data)
            elif control.kind == 0xE:
                add(seconds, 1, channel, "pitch_bend", control.data[0] | control.data[1] << 7)
        add(last_pedal_up(score), 1, channel, "cc", SUSTAIN, 0)
        for note in part.notes:
            start, end = score.seconds_at(note.start), score.seconds_at(note.end)
            add(start, 2, channel, "noteon", note.pitch, note.velocity)
            # A note that ends in the block it begins in would never be heard.
            add(
                max(end, start + 2 * _SETTLE_BLOCK / sample_rate), 0, channel, "noteoff", note.pitch
            )
    return sorted(events, key=lambda event: (event.sample, event.order))


def _balanced(controls: Sequence[Control]) -> Iterator[Control]:
    """Let the balance follow the pan, where the score does not set it itself.

    It follows slowly, by the cube: half-way to a side an instrument of one sample stays near where
    pan alone puts it, and hard on a side the other one is silent.
    """
    own = any(control.kind == 0xB and control.data[0] == _BALANCE for control in controls)
    for control in controls:
        yield control
        if control.kind == 0xB and control.data[0] == PAN and not own:
            side = max((control.data[1] - _CENTRE) / _HALF, -1.0)
            value = _CENTRE + _HALF * side**3 - (side == -1.0)  # 0 to 127
            yield Control(tick=control.tick, kind=0xB, data=(_BALANCE, round(value)))


class _Synth:
    """One instance of the library's synthesiser, inside a `with` block."""

    def __init__(
        self,
        lib: ctypes.CDLL,
        font: SoundFont,
        effects: Effects,
        n_channels: int,
        sample_rate: int,
    ) -> None:
        self._lib = lib
        self._font = font
        self._effects = effects
        self._channels = min(max(-(-n_channels // 16) * 16, 16), _MAX_CHANNELS)
        self._rate = sample_rate
        self._settings: int | None = None
        self._synth: int | None = None

    def __enter__(self) -> _Synth:
        lib = self._lib
        for level in range(_QUIET_LEVELS):
            lib.fluid_set_log_function(level, None, None)
        self._settings = lib.new_fluid_settings()
        lib.fluid_settings_setnum(self._settings, b"synth.sample-rate", float(self._rate))
        lib.fluid_settings_setnum(self._settings, b"synth.gain", _GAIN)
        for name, value in (
            (b"synth.reverb.active", int(self._effects.reverb)),
            (b"synth.chorus.active", int(self._effects.chorus)),
            (b"synth.polyphony", _VOICES),
            (b"synth.midi-channels", self._channels),
            (b"synth.cpu-cores", 1),
            (b"synth.dynamic-sample-loading", 1),  # of a large font, only what is played
        ):
            lib.fluid_settings_setint(self._settings, name, value)
        self._synth = lib.new_fluid_synth(self._settings)
        try:
            if not self._synth:
                raise MissingProgram(
                    f"FluidSynth cannot play at {self._rate} Hz",
                    hint="use 44100 Hz, or --engine own",
                    extra="play",
                )
            if lib.fluid_synth_sfload(self._synth, os.fsencode(self._font.path), 1) < 0:
                raise MissingProgram(
                    f"FluidSynth cannot read the sound font {str(self._font.path)!r}",
                    hint="give another one with --soundfont, or use --engine own",
                    extra="play",
                )
        except MissingProgram:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._synth:
            self._lib.delete_fluid_synth(self._synth)
        if self._settings:
            self._lib.delete_fluid_settings(self._settings)
        self._synth = self._settings = None

    def send(self, event: _Event) -> None:
        """Send one event now."""
        getattr(self._lib, f"fluid_synth_{event.function}")(self._synth, event.channel, *event.data)

    def write(self, block: Samples) -> None:
        """Fill [2, time] with what sounds from now on."""
        length = block.shape[1]
        left, right = block[0].ctypes.data, block[1].ctypes.data
        if length and self._lib.fluid_synth_write_float(
            self._synth, length, left, 0, 1, right, 0, 1
        ):
            raise MissingProgram("FluidSynth stopped playing", hint=HINT, extra="play")
