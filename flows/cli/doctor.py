"""`doctor` and `models list`: what this machine has."""

from __future__ import annotations

import platform
import shutil
from argparse import Namespace
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from flows.cli.output import Exit, data, data_json, table
from flows.embedded import configured_api_url, configured_password
from flows.serving.passwords import check_password
from musiccore.errors import MusicCoreError
from musiccore.models.config import ModelConfig
from musiccore.models.loading import cpu_count, networks, weights_path
from musiccore.models.presets import PRESETS, preset
from tasks.context import new_store
from tasks.settings import Settings, process_settings

_OPTIONAL = ("ffmpeg", "fluidsynth", "sound player")


def doctor(options: Namespace) -> int:
    """Report on everything a run needs; exit 1 if something is missing."""
    settings = process_settings()
    findings = [
        ("python", True, platform.python_version()),
        ("processors", True, f"{cpu_count()}, {settings.threads} used for sampling"),
        *(_package(name) for name in ("jukeflow", "torch", "prefect", "fastapi", "soundfile")),
        _device(settings),
        _store(settings),
        _prefect_server(),
        *_helpers(settings),
        *(_weights(name, settings) for name in sorted(PRESETS)),
    ]
    if options.json:
        data_json([{"check": n, "ok": ok, "value": text} for n, ok, text in findings])
    else:
        rows = [(name, _word(name, ok), text) for name, ok, text in findings]
        data(table(rows, ("check", "result", "what was found")))
    needed = {"torch", "prefect", "device", "store"}
    sound = all(ok for name, ok, _ in findings if name in needed)
    return Exit.DONE if sound else Exit.FAILED


def _word(name: str, ok: bool) -> str:
    """Return what a check found, in a word: released weights and some programs are a choice."""
    if ok:
        return "ok"
    return "not here" if name in _OPTIONAL or name.startswith("model ") else "MISSING"


def models_list(options: Namespace) -> int:
    settings = process_settings()
    rows, lines = [], []
    for name in sorted(PRESETS):
        config = preset(name)
        missing = _missing(config, settings)
        hop_lengths, sings = list(config.vqvae.hop_lengths), config.top.lyrics is not None
        rows.append(
            {
                "model": name,
                "levels": config.levels,
                "sample_rate": config.vqvae.sample_rate,
                "hop_lengths": hop_lengths,
                "lyrics": sings,
                "ready": not missing,
                "missing": missing,
                "licence": config.licence,
            }
        )
        lines.append(
            (
                name,
                str(config.vqvae.sample_rate),
                "/".join(map(str, hop_lengths)),
                "yes" if sings else "no",
                f"missing {', '.join(missing)}" if missing else "ready",
            )
        )
    if options.json:
        data_json(rows)
        return Exit.DONE
    data(table(lines, ("model", "Hz", "hop lengths", "sings", "weights")))
    return Exit.DONE


def _missing(config: ModelConfig, settings: Settings) -> list[str]:
    if not config.trained:
        return []
    return [
        network.name
        for network in networks(config)
        if weights_path(config.name, network, settings.machine()) is None
    ]


def _package(name: str) -> tuple[str, bool, str]:
    try:
        return name, True, version(name)
    except PackageNotFoundError:
        return name, False, "not installed"


def _device(settings: Settings) -> tuple[str, bool, str]:
    try:
        from musiccore.models.loading import choose_device

        return "device", True, f"{choose_device(settings.device)}, {settings.dtype}"
    except (MusicCoreError, ImportError) as error:
        return "device", False, str(error).splitlines()[0]


def _prefect_server() -> tuple[str, bool, str]:
    """Return where Prefect's server is, and whether it takes the password that is known here."""
    url = configured_api_url()
    if url is None:
        return "prefect server", True, "embedded"
    try:
        check_password(url, configured_password())
    except MusicCoreError as error:
        return "prefect server", False, f"{error.message}; {error.hint}"
    return "prefect server", True, url


def _helpers(settings: Settings) -> list[tuple[str, bool, str]]:
    """Return what converting, rendering and playing find on this machine."""
    from musiccore.conversion.ffmpeg import find_ffmpeg
    from musiccore.synth.fluidsynth import find_fluidsynth
    from musiccore.synth.playback import find_mixer

    def fluidsynth() -> str:
        found = find_fluidsynth(library=settings.fluidsynth, soundfont=settings.soundfont)
        return f"{found.library}, {found.font.path}"

    finders: tuple[Callable[[], str], ...] = (
        lambda: find_ffmpeg(settings.ffmpeg, "m4a, aac, wma, webm and video"),
        fluidsynth,
        lambda: f"pygame {find_mixer().__file__}",
    )
    rows = []
    for name, find in zip(_OPTIONAL, finders, strict=True):
        try:
            rows.append((name, True, find()))
        except MusicCoreError as error:
            rows.append((name, False, f"{error.message}; {error.hint}"))
    return rows


def _store(settings: Settings) -> tuple[str, bool, str]:
    try:
        store = new_store()
        place = store.location()
        if not store.is_there():
            return "store", True, f"{place}: not there yet, the first song makes it"
        found = store.probe()
    except MusicCoreError as error:
        return "store", False, error.message
    try:
        room = f", {shutil.disk_usage(place).free / 2**30:.0f} GiB free"
    except OSError:
        room = ""
    return "store", True, f"{place}: {found.writers}{room}"


def _weights(name: str, settings: Settings) -> tuple[str, bool, str]:
    missing = _missing(preset(name), settings)
    return (
        f"model {name}",
        not missing,
        f"no weights here for {', '.join(missing)}" if missing else "ready",
    )
