"""Pictures of a sound or a score as PNG bytes: waveform, spectrogram, piano roll.

All pictures have the same size and the same plot area, so that a page can lay them side by side
and move a play head over them. They are drawn at twice the size they are meant to be seen at.
Only matplotlib's object interface is used: no global figure list, safe in threads.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import Audio, to_mono
from musiccore.scores.score import Score, SoundingNote
from musiccore.timecode import whole_clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 960, 360  # pixels
PLOT_LEFT, PLOT_RIGHT = 0.095, 0.985  # the plot area, as shares of the width
PLOT_TOP, PLOT_BOTTOM = 0.955, 0.175  # and of the height, from below

LOWEST_HZ = 40.0
RANGE_DB = 80.0
STEPS_DB = 24  # shades: fewer make smaller files and hide nothing
ROWS = 140  # of the spectrogram, equally spaced in pitch
COLOURS = 64  # of the PNG's palette

_PAPER, _INK, _GRID, _WAVE, _LOUD = "#10141f", "#c9d1e0", "#2a3246", "#5bc8d8", "#b5eff7"
_PARTS = ("#5bc8d8", "#f2a65a", "#8bd17c", "#e87ea1", "#e9d66b", "#a48ae6", "#6f9cf0", "#d98f6f")
_DRUMS, _BLACK_KEY, _WHITE_KEY, _BAR = "#b8c0d0", "#0b0e16", "#171c2a", "#353e55"
_SHADES = (0.45, 0.65, 0.82, 1.0)  # of a part's colour, from soft to loud
_FEWEST_PITCHES, _MOST_BARS, _MOST_NAMES = 18, 64, 8
_DRUM_SHARE, _NAMES_SHARE = 0.22, 0.13  # of the height
_LAST_LETTER = "\u052f"  # Latin, Greek and Cyrillic end there
_HZ_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


def waveform(audio: Audio) -> bytes:
    """Draw the extremes and the RMS of every pixel column.

    Args:
        audio: channels are averaged.

    Returns:
        A PNG of 960 by 360 pixels; full scale is the height of the plot.
    """
    samples = to_mono(audio).samples[0]
    columns = min(round(WIDTH * (PLOT_RIGHT - PLOT_LEFT)), len(samples))
    edges = np.linspace(0, len(samples), columns + 1).astype(np.int64)
    low = np.minimum.reduceat(samples, edges[:-1])
    high = np.maximum.reduceat(samples, edges[:-1])
    power = np.add.reduceat(np.square(samples, dtype=np.float64), edges[:-1]) / np.diff(edges)
    level = np.sqrt(power)
    seconds = edges[:-1] / audio.sample_rate

    figure, axes = _figure(audio.seconds)
    axes.fill_between(seconds, low, high, color=_WAVE, linewidth=0.5, step="post")
    axes.fill_between(seconds, -level, level, color=_LOUD, linewidth=0, step="post")
    axes.set_ylim(-1.0, 1.0)
    axes.set_yticks([-1.0, -0.5, 0.0, 0.5, 1.0], ["−1", "−½", "0", "½", "1"])
    axes.set_axisbelow(True)
    axes.grid(color=_GRID, linewidth=1.0)
    return _png(figure)


def spectrogram(audio: Audio) -> bytes:
    """Draw energy over time and pitch, 80 dB deep, with a logarithmic frequency axis.

    Args:
        audio: channels are averaged.

    Returns:
        A PNG of 960 by 360 pixels, from 40 Hz to half the sample rate.
    """
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    highest = audio.sample_rate / 2.0
    levels = _log_frequency_levels(to_mono(audio).samples[0], audio.sample_rate)
    figure, axes = _figure(audio.seconds)
    axes.set_facecolor("#000004")
    colours = colormaps["magma"]
    boundaries = np.linspace(-RANGE_DB, 0.0, STEPS_DB + 1)
    # A linear axis over the logarithm: an image cannot be drawn on a log axis quickly.
    bottom, top = np.log2(LOWEST_HZ), np.log2(highest)
    axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        extent=(0.0, audio.seconds, bottom, top),
        cmap=colours,
        norm=BoundaryNorm(boundaries, colours.N, clip=True),
        interpolation="nearest",
    )
    ticks = [hertz for hertz in _HZ_TICKS if LOWEST_HZ <= hertz <= highest]
    names = [f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in ticks]
    axes.set_yticks(np.log2(ticks), names)
    axes.text(
        0.004,
        0.975,
        "Hz",
        transform=axes.transAxes,
        color=_INK,
        va="top",
        fontsize=17,
        bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 4, "alpha": 0.8},
    )
    return _png(figure)


def piano_roll(score: Score, *, seconds: float | None = None) -> bytes:
    """Draw every note over time and pitch: a colour for each part, brighter where it is louder.

    Percussion has rows of its own below, one for each instrument that is used.

    Args:
        score: any score.
        seconds: length of the time axis, such as that of a recording to lie beside; None is the
            end of the last note.

    Returns:
        A PNG of 960 by 360 pixels.
    """
    notes = score.sounding()
    length = max(seconds if seconds is not None else score.seconds, 1e-3)
    pitched = [note for note in notes if not note.is_drums]
    drums = [note for note in notes if note.is_drums]
    named = _names(score)
    low, high = _pitch_range(pitched)
    if named:  # they are written above the notes
        high += np.ceil(_NAMES_SHARE * (high - low))
    kinds = sorted({note.pitch for note in drums})
    # A drum's row is as high as fits: all of them together have their share of the picture.
    share = _DRUM_SHARE if pitched else 1.0
    depth = (high - low) * share / (1.0 - share) if pitched and kinds else high - low
    row = min(depth / len(kinds), 4.0) if kinds else 0.0
    depth = row * len(kinds)
    bottom = low - depth if pitched else high - depth

    figure, axes = _figure(length)
    axes.set_ylim(bottom if kinds else low, high)
    if pitched:
        for pitch in range(int(np.ceil(low)), int(high) + 1):
            key = _BLACK_KEY if pitch % 12 in (1, 3, 6, 8, 10) else _WHITE_KEY
            axes.axhspan(pitch - 0.5, pitch + 0.5, facecolor=key, linewidth=0)
    _draw_bars(axes, score, length)
    _draw_notes(axes, pitched, length)
    _draw_drums(axes, drums, {kind: bottom + (n + 0.5) * row for n, kind in enumerate(kinds)}, row)
    octaves = [pitch for pitch in range(0, 128, 12) if low <= pitch <= high] if pitched else []
    if kinds:
        axes.axhline(bottom + depth, color=_INK, linewidth=1.0)
        axes.text(
            -0.012,
            bottom + depth / 2,
            "drums",
            transform=axes.get_yaxis_transform(),
            color=_INK,
            ha="right",
            va="center",
            fontsize=15,
        )
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    if named:
        _draw_names(axes, named)
    return _png(figure)


def _pitch_range(notes: list[SoundingNote]) -> tuple[float, float]:
    """Lowest and highest edge of what is drawn, with at least one C inside."""
    pitches = [note.pitch for note in notes] or [60]
    low, high = min(pitches) - 1.5, max(pitches) + 1.5
    missing = max(_FEWEST_PITCHES - (high - low), 0.0)
    return low - np.floor(missing / 2), high + np.ceil(missing / 2)


def _draw_bars(axes: Axes, score: Score, seconds: float) -> None:
    bars: list[float] = []
    for tick in score.bars():
        if (at := score.seconds_at(tick)) > seconds or len(bars) > 8 * _MOST_BARS:
            break
        bars.append(at)
    step = -(-len(bars) // _MOST_BARS)
    axes.vlines(bars[::step], *axes.get_ylim(), color=_BAR, linewidth=1.0)


def _draw_notes(axes: Axes, notes: list[SoundingNote], seconds: float) -> None:
    pixel = seconds / (WIDTH * (PLOT_RIGHT - PLOT_LEFT))
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for note in notes:
        # A pixel is left free after a note, so that one that is repeated is seen as two.
        width = max(note.duration - pixel, 1.5 * pixel)
        box = (note.onset, note.pitch - 0.44, width, 0.88)
        boxes.setdefault(_shade(note.part, note.velocity), []).append(box)
    for colour, group in boxes.items():
        _draw_boxes(axes, group, colour)


def _draw_drums(
    axes: Axes, notes: list[SoundingNote], places: dict[int, float], row: float
) -> None:
    pixel = (axes.get_xlim()[1]) / (WIDTH * (PLOT_RIGHT - PLOT_LEFT))
    height = 0.7 * row
    boxes = [(n.onset, places[n.pitch] - height / 2, 4.0 * pixel, height) for n in notes]
    _draw_boxes(axes, boxes, _DRUMS)


def _draw_boxes(axes: Axes, boxes: list[tuple[float, float, float, float]], colour: str) -> None:
    """Fill boxes (left, bottom, width, height)."""
    from matplotlib.collections import PolyCollection

    if not boxes:
        return
    left, bottom, width, height = np.array(boxes).T
    corners = [(left, bottom), (left + width, bottom), (left + width, bottom + height),
               (left, bottom + height)]  # fmt: skip
    corners_xy = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)  # [n, 4, 2]
    axes.add_collection(
        PolyCollection(list(corners_xy), facecolors=colour, linewidths=0, zorder=3),
        autolim=False,
    )


def _shade(part: int, velocity: int) -> str:
    """Colour of a part, mixed with the paper where it is soft."""
    shade = _SHADES[min(velocity * len(_SHADES) // 128, len(_SHADES) - 1)]
    colour, paper = _PARTS[part % len(_PARTS)], _PAPER
    mixed = [
        round(int(paper[at : at + 2], 16) * (1 - shade) + int(colour[at : at + 2], 16) * shade)
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _names(score: Score) -> list[tuple[int, str]]:
    """Part and name of what has one, where it is a few; none of a single part."""
    found = [
        (index, name)
        for index, part in enumerate(score.parts)
        if part.notes and not part.is_drums and (name := _shown(part.name))
    ]
    return found if 2 <= len(found) <= _MOST_NAMES else []


def _shown(name: str) -> str:
    """A name as it can be drawn: short, no formula, in letters that the font has."""
    kept = "".join(sign for sign in name if sign.isprintable() and sign <= _LAST_LETTER)
    return kept.strip()[:12].replace("$", "\\$")


def _draw_names(axes: Axes, named: list[tuple[int, str]]) -> None:
    """Write the names of the parts in their colours."""
    from matplotlib.artist import Artist
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

    texts: list[Artist] = [
        TextArea(name, textprops={"color": _PARTS[index % len(_PARTS)], "fontsize": 14})
        for index, name in named
    ]
    box = AnchoredOffsetbox(
        "upper right", child=HPacker(children=texts, pad=0, sep=14), pad=0.25, borderpad=0.25
    )
    box.patch.set(facecolor=_PAPER, edgecolor="none", alpha=0.8)
    box.set_zorder(5)
    axes.add_artist(box)


def _log_frequency_levels(
    samples: npt.NDArray[np.float32], sample_rate: int
) -> npt.NDArray[np.float64]:
    """[ROWS, columns]: dB below the clip's loudest point, rows equally spaced in pitch."""
    columns = round(WIDTH * (PLOT_RIGHT - PLOT_LEFT) / 2)
    n_fft = 1 << min(max(6, round(float(np.log2(sample_rate * 0.128)))), 13)
    # Long clips are looked at in `columns` places; frames of one column are not averaged, since
    # a maximum over two is enough to miss no note.
    n_frames = 2 * columns
    centres = np.linspace(0, max(len(samples) - 1, 0), n_frames).astype(np.int64)
    padded = np.pad(samples, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[
        np.minimum(centres, len(padded) - n_fft)
    ]
    window = np.hanning(n_fft).astype(np.float32)
    magnitude = np.abs(np.fft.rfft(frames * window, axis=-1))  # [n_frames, bins]
    magnitude = magnitude.reshape(columns, 2, -1).max(axis=1)

    hertz = np.geomspace(LOWEST_HZ, sample_rate / 2.0, ROWS + 1)
    places = hertz * n_fft / sample_rate
    rows = np.empty((ROWS, columns))
    for row in range(ROWS):
        first, last = places[row], places[row + 1]
        if np.floor(last) > np.ceil(first):  # several bins in this row: the strongest counts
            rows[row] = magnitude[:, int(np.ceil(first)) : int(np.floor(last)) + 1].max(axis=1)
        else:  # less than one bin: between its neighbours
            centre = (first + last) / 2.0
            lower = min(int(centre), magnitude.shape[1] - 2)
            part = centre - lower
            rows[row] = magnitude[:, lower] * (1.0 - part) + magnitude[:, lower + 1] * part
    loudest = float(rows.max())
    if loudest <= 0.0:
        return np.full((ROWS, columns), -RANGE_DB)
    return np.asarray(20.0 * np.log10(np.maximum(rows / loudest, 10.0 ** (-RANGE_DB / 20.0))))


def _figure(seconds: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((PLOT_LEFT, PLOT_BOTTOM, PLOT_RIGHT - PLOT_LEFT, PLOT_TOP - PLOT_BOTTOM))
    axes.set_facecolor(_PAPER)
    axes.set_xlim(0.0, seconds)
    ticks = _second_ticks(seconds)
    axes.set_xticks(ticks, [_tick_label(tick, seconds) for tick in ticks])
    axes.tick_params(colors=_INK, labelsize=18, length=6, width=1.5, pad=5)
    for spine in axes.spines.values():
        spine.set_color(_GRID)
    return figure, axes


def _second_ticks(seconds: float) -> list[float]:
    """About six round places from 0 to before the end, so that no label leaves the picture."""
    steps = [k * 10.0**e for e in range(-4, 1) for k in (1, 2, 5)] + [15.0, 30.0, 60.0, 120.0]
    steps += [300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0]
    step = next((s for s in sorted(steps) if seconds / s <= 7.0), seconds)
    return [i * step for i in range(1 + int(seconds / step)) if i * step <= 0.975 * seconds]


def _tick_label(tick: float, seconds: float) -> str:
    if tick == 0.0:
        return "0"
    if seconds < 90.0:
        return f"{tick:.4g} s"
    return whole_clock(tick)


def _png(figure: Figure) -> bytes:
    """Render with a palette: a third of the size of full colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    buffer = io.BytesIO()
    image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
