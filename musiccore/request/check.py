"""Whether a request fits its model, before any weight is loaded and without torch."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from musiccore.errors import ConditioningError, ConfigError
from musiccore.models.config import ModelConfig, PriorConfig, TimeConfig
from musiccore.models.presets import preset
from musiccore.request.request import GenerationRequest
from musiccore.units import samples_in


def check(
    request: GenerationRequest,
    *,
    config: ModelConfig | None = None,
    label_tables: Path | None = None,
    verify_tables: bool = True,
) -> ModelConfig:
    """Check a request against its model, before any weight is loaded; opens no primer.

    Args:
        request: what is asked for.
        config: the model; by default the preset that `model` names.
        label_tables: folder with the user's copy of the v2 and v3 label tables.
        verify_tables: refuse label tables that differ from the published ones.

    Returns:
        The model's configuration.

    Raises:
        ConfigError: if an option does not fit the model.
        ConditioningError: if artist, genre or lyrics do not fit the model.
    """
    config = preset(request.model) if config is None else config
    _check_levels(request, config)
    _check_length(request, config)
    _check_time(request, config)
    _check_labels(request, config, label_tables, verify_tables)
    if request.primer_seconds is not None and not request.has_primer:
        raise ConfigError(
            f"primer_seconds is {request.primer_seconds}, but there is no primer",
            hint="give the path of an audio file or a score as {primer}",
        )
    if request.primer is not None and request.primer_compose is not None:
        raise ConfigError(
            f"primer: {request.primer!r} is given, and another one is to be composed",
            hint="leave one of {primer} and {primer_compose} out",
        )
    return config


def conditioning_notes(
    request: GenerationRequest, config: ModelConfig, label_tables: Path | None = None
) -> list[str]:
    """Return what becomes of artist, genre and lyrics that a model does not know, in sentences.

    Args:
        request: checked already.
        config: its model.
        label_tables: folder with the user's copy of the v2 and v3 label tables.
    """
    from musiccore.models.labels import labellers

    wanted, sung = request.conditioning, request.sung(config)
    maker = labellers(config, label_tables, allow_unknown=request.allow_unknown, verify=False)[-1]
    unknown = {} if maker is None else maker.unknown_names(wanted.artist, wanted.genre)
    found = [
        f"{name}: the model does not know {', '.join(map(repr, words))}; "
        f'it is given "unknown" instead'
        for name, words in unknown.items()
    ]
    return found + ([] if sung is None else sung.sentences())


def _check_levels(request: GenerationRequest, config: ModelConfig) -> None:
    per_level = {
        "window_hop": request.window_hops(config),
        "max_batch": request.batch_limits(config),
        "temperature": request.temperatures(config),
    }
    for name, values in per_level.items():
        if len(values) != config.levels:
            raise ConfigError(
                f"{name} has {len(values)} numbers; model {config.name} has {config.levels} levels",
                hint="give one number per level, level 0 first",
            )
    for prior, hop in zip(config.priors, request.window_hops(config), strict=True):
        if not 1 <= hop <= prior.n_ctx or hop % prior.upper_factor:
            multiple = f" and a multiple of {prior.upper_factor}" * (prior.upper_factor > 1)
            raise ConfigError(
                f"window_hop of level {prior.level} is {hop}; it must be {prior.upper_factor} "
                f"to {prior.n_ctx}{multiple}",
                hint=f"the model's own is {config.default_window_hop(prior.level)}",
            )
    for prior in config.priors:
        if request.sampling.top_k > prior.codebook_size:
            raise ConfigError(
                f"top_k is {request.sampling.top_k}; level {prior.level} of model {config.name} "
                f"has {prior.codebook_size} codes"
            )


def _check_length(request: GenerationRequest, config: ModelConfig) -> None:
    rate, top_hop = config.vqvae.sample_rate, config.top.hop_length

    def least(prior: PriorConfig) -> int:
        whole = prior.window_samples if prior.conditioner is not None else top_hop
        return ceil(whole / top_hop) * top_hop

    longest = max(config.priors, key=least)
    if request.n_samples(config) < least(longest):
        needed = ceil(least(longest) * 100 / rate) / 100
        raise ConfigError(
            f"seconds is {request.seconds}; model {config.name} makes at least {needed} s, "
            f"one window of level {longest.level}",
            hint=f"ask for {{seconds}} of {needed} or more",
        )


def _check_time(request: GenerationRequest, config: ModelConfig) -> None:
    time, rate = config.top.time, config.vqvae.sample_rate
    total, n_samples = request.total_samples(config), request.n_samples(config)
    if total < n_samples:
        raise ConfigError(
            f"total_seconds is {request.total_seconds}, less than seconds {request.seconds}",
            hint="{total_seconds} is the length of the whole piece; leave it out to use {seconds}",
        )
    if time is None:
        return
    _check_total(request, config, time, total)
    reach = max(n_samples, config.top.window_samples)
    if reach > time.max_seconds * rate:
        raise ConfigError(
            f"seconds is {request.seconds}; model {config.name} knows pieces of at most "
            f"{time.max_seconds} s"
        )


def _check_total(
    request: GenerationRequest, config: ModelConfig, time: TimeConfig, total: int
) -> None:
    rate = config.vqvae.sample_rate
    if samples_in(time.min_seconds, rate) <= total < samples_in(time.max_seconds, rate):
        return
    name, value = "total_seconds", request.total_seconds
    if value is None:
        name, value = "seconds", request.seconds
    raise ConfigError(
        f"{name} is {value}; model {config.name} knows pieces of {time.min_seconds} s to less "
        f"than {time.max_seconds} s",
        hint="{total_seconds} is the length of the piece that the audio begins",
    )


def _check_labels(
    request: GenerationRequest, config: ModelConfig, tables: Path | None, verify: bool
) -> None:
    from musiccore.models.labels import labellers

    wanted = request.conditioning
    if wanted.lyrics and config.top.lyrics is None:
        raise ConditioningError(
            f"lyrics are given, and model {config.name} sings none",
            hint="leave {lyrics} empty, or choose a {model} with lyrics in its name",
        )
    makers = labellers(config, tables, allow_unknown=request.allow_unknown, verify=verify)
    if makers[-1] is None and (wanted.artist or wanted.genre):
        raise ConditioningError(
            f"artist or genre is given, and model {config.name} has no labels",
            hint="leave both empty",
        )
    for maker in reversed(makers):  # the top prior first: the request is written for it
        if maker is not None:
            total = request.total_samples(config)
            maker.full(wanted.artist, wanted.genre, wanted.lyrics, total)
