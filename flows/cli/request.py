"""Options and recipe → one request."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import numbers, whole_numbers
from musiccore.errors import ConfigError
from musiccore.request.request import GenerationRequest, read_lyrics

_PLAIN = (
    "model",
    "title",
    "seconds",
    "total_seconds",
    "takes",
    "choose",
    "choose_after_hours",
    "primer",
    "primer_seconds",
    "allow_unknown",
)
_CONDITIONING = ("artist", "genre", "lyrics")
_SAMPLING = ("seed", "top_k", "top_p")


def request_of(options: Namespace) -> GenerationRequest:
    """Return the request of a command line: the recipe, overridden by options.

    Raises:
        ConfigError: for a value that cannot be read; the message names the option.
    """
    asked: dict[str, object] = {}
    if options.recipe is not None:
        recipe = GenerationRequest.from_toml(Path(options.recipe))
        asked = recipe.model_dump(exclude_defaults=True)
    asked.update(_given(options, _PLAIN))
    conditioning = _part(asked, "conditioning") | _given(options, _CONDITIONING)
    if options.lyrics_file is not None:
        if options.lyrics is not None:
            raise ConfigError("give --lyrics or --lyrics-file, not both")
        conditioning["lyrics"] = read_lyrics(Path(options.lyrics_file))
    sampling = _part(asked, "sampling") | _given(options, _SAMPLING)
    if options.temperature is not None:
        values = numbers(options.temperature, "--temperature")
        sampling["temperature"] = values[0] if len(values) == 1 else values
    for name in ("window_hop", "max_batch"):
        text = getattr(options, name)
        if text is not None:
            asked[name] = whole_numbers(text, f"--{name.replace('_', '-')}")
    if options.primer_compose is not None or options.primer_tempo is not None:
        asked["primer_compose"] = _part(asked, "primer_compose") | _composed(options)
    if getattr(options, "formats", None) is not None:
        asked["formats"] = tuple(options.formats.split(","))
    return GenerationRequest.parse({**asked, "conditioning": conditioning, "sampling": sampling})


def _given(options: Namespace, names: tuple[str, ...]) -> dict[str, object]:
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _composed(options: Namespace) -> dict[str, object]:
    """Return what is said about a composed primer."""
    given: dict[str, object] = {}
    if options.primer_tempo is not None:
        given["tempo"] = options.primer_tempo
    key, _, mode = (options.primer_compose or "").strip().partition(" ")
    if key:
        given["key"] = key
    if mode:
        given["mode"] = mode.strip().lower()
    return given


def _part(asked: dict[str, object], name: str) -> dict[str, object]:
    part = asked.get(name) or {}
    assert isinstance(part, dict)
    return dict(part)
