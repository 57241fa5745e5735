"""What a request will compute, and what that costs, before anything is spent.

`level_plan` is the one place that turns a request into windows and batches; the sampler follows it,
so a plan's steps are the sampler's steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from musiccore.errors import CodesError
from musiccore.models.config import ModelConfig, PriorConfig, TransformerConfig, VQVAEConfig
from musiccore.request.request import GenerationRequest
from musiccore.request.speed import LevelSpeed, Speeds
from musiccore.sampling.windows import Window, pieces, plan_windows

DeviceKind = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """All the work at one level.

    Attributes:
        level: 0 is the bottom.
        n_codes: codes of one take when the level is done.
        n_known: codes of one take that a primer gives.
        takes: takes sampled at this level: all of them at the top, the chosen one below.
        batches: takes per pass; every window is one pass per batch.
        windows: in sampling order.
    """

    level: int
    n_codes: int
    n_known: int
    takes: int
    batches: tuple[int, ...]
    windows: tuple[Window, ...]

    @property
    def steps(self) -> int:
        """Sequential steps: one code for every take of a batch each."""
        return sum(window.new for window in self.windows) * len(self.batches)


def level_plan(
    config: ModelConfig, request: GenerationRequest, *, primer_samples: int = 0
) -> list[LevelPlan]:
    """Return the work at each level, level 0 first; sampling goes from the last to the first.

    Args:
        config: the model.
        request: a request that `check` has passed.
        primer_samples: length of the primer at the model's rate, in samples; 0 without one.

    Raises:
        CodesError: if a window hop does not fit, or a level is shorter than a window it needs.
    """
    hops, limits = request.window_hops(config), request.batch_limits(config)
    plans: list[LevelPlan] = []
    for level, prior in enumerate(config.priors):
        n_codes, takes = request.n_codes(config, level), 1
        if level == config.levels - 1:
            takes = request.takes
        if prior.conditioner is not None and n_codes < prior.n_ctx:
            raise CodesError(
                f"level {level} would have {n_codes} codes; one window of it has {prior.n_ctx}",
                hint="ask for more {seconds}",
            )
        known = primer_samples // prior.hop_length
        windows = plan_windows(n_codes, prior.n_ctx, hops[level], n_known=known)
        plans.append(
            LevelPlan(
                level=level,
                n_codes=n_codes,
                n_known=known,
                takes=takes,
                batches=tuple(pieces(takes, limits[level])),
                windows=tuple(windows),
            )
        )
    return plans


# ------------------------------------------------------------------------------------------- costs


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCost:
    """What one level costs, its decoding to audio included.

    Attributes:
        windows: windows to sample.
        steps: sequential steps.
        seconds_low, seconds_high: a range that the time should fall into.
        peak_bytes: most memory at one time, weights included.
        measured: whether the time is that of this machine; else it is that of its kind.
    """

    level: int
    windows: int
    steps: int
    seconds_low: float
    seconds_high: float
    peak_bytes: int
    measured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a request costs.

    Attributes:
        levels: level 0 first.
        device: what the times are for.
    """

    levels: tuple[LevelCost, ...]
    device: DeviceKind

    @property
    def steps(self) -> int:
        """Sequential steps of all levels."""
        return sum(cost.steps for cost in self.levels)

    @property
    def seconds_low(self) -> float:
        """Least time to expect, start-up included."""
        return _START_SECONDS[0] + sum(cost.seconds_low for cost in self.levels)

    @property
    def seconds_high(self) -> float:
        """Most time to expect, start-up included."""
        return _START_SECONDS[1] + sum(cost.seconds_high for cost in self.levels)

    @property
    def peak_bytes(self) -> int:
        """Most memory at one time; levels are in memory one after the other."""
        return max(cost.peak_bytes for cost in self.levels)

    @property
    def measured(self) -> bool:
        """Whether the speed of every level was measured."""
        return all(cost.measured for cost in self.levels)

    @classmethod
    def of(
        cls,
        config: ModelConfig,
        request: GenerationRequest,
        *,
        device: DeviceKind = "cpu",
        primer_samples: int = 0,
        speeds: Speeds | None = None,
    ) -> Plan:
        """Return what a request costs on a kind of device.

        Args:
            config: the model.
            request: a request that `check` has passed.
            device: kind of device.
            primer_samples: as for `level_plan`.
            speeds: of one machine; levels that it does not name are as its kind is.

        Raises:
            CodesError: as for `level_plan`.
        """
        plans = level_plan(config, request, primer_samples=primer_samples)
        costs = tuple(
            _cost(config, plan, device, None if speeds is None else speeds.level(plan.level))
            for plan in plans
        )
        return cls(levels=costs, device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speed:
    """Slowest and fastest of a kind of device; the range covers busy and idle, old and new ones.

    Attributes:
        layer_seconds: overhead of one layer in one step.
        bytes_per_second: memory bandwidth for weights.
        dense_flops: matrix products over many positions.
        convolution_flops: dilated convolutions.
    """

    layer_seconds: tuple[float, float]
    bytes_per_second: tuple[float, float]
    dense_flops: tuple[float, float]
    convolution_flops: tuple[float, float]


_SPEEDS: dict[DeviceKind, _Speed] = {
    "cpu": _Speed(
        layer_seconds=(1.2e-3, 6e-5),
        bytes_per_second=(5e9, 25e9),
        dense_flops=(8e9, 1e11),
        convolution_flops=(4e9, 6e10),
    ),
    "cuda": _Speed(
        layer_seconds=(1e-3, 1.5e-5),
        bytes_per_second=(2e11, 3e12),
        dense_flops=(4e12, 2e14),
        convolution_flops=(1e12, 5e13),
    ),
}
# Measured codes per second of one take, slowest and fastest seen: a busy two-core machine with one
# thread, and an idle one; eager PyTorch, float32.
_MEASURED: dict[tuple[str, DeviceKind], tuple[float, float]] = {
    ("nano_top", "cpu"): (80.0, 900.0),
    ("nano_upsampler_1", "cpu"): (120.0, 1300.0),
    ("nano_upsampler_0", "cpu"): (160.0, 1600.0),
    ("upsampler_level_0", "cpu"): (1.2, 8.0),
    ("upsampler_level_1", "cpu"): (1.2, 8.0),
    ("prior_1b_lyrics", "cpu"): (1.1, 8.0),
    ("prior_5b_lyrics", "cpu"): (0.15, 1.4),
    ("prior_5b", "cpu"): (0.15, 1.5),
}
_START_SECONDS = (2.0, 20.0)  # imports, opening the store, loading small weights
_BATCH_COST = (0.25, 0.03)  # of one more take in a step, slowest and fastest
_PROCESS_BYTES = 400 * 2**20  # an interpreter with torch in it
_FLOAT = 4  # bytes


def _cost(
    config: ModelConfig, plan: LevelPlan, device: DeviceKind, speed: LevelSpeed | None
) -> LevelCost:
    if speed is None:
        slow, fast = (_assumed_seconds(config, plan, device, end) for end in (0, 1))
    else:
        seconds = _measured_seconds(config.priors[plan.level], plan, speed)
        slow, fast = seconds * (1 + speed.spread), seconds / (1 + speed.spread)
    return LevelCost(
        level=plan.level,
        windows=len(plan.windows),
        steps=plan.steps,
        seconds_low=round(fast, 2),
        seconds_high=round(slow, 2),
        peak_bytes=_peak_bytes(config, plan),
        measured=speed is not None,
    )


def _measured_seconds(prior: PriorConfig, plan: LevelPlan, speed: LevelSpeed) -> float:
    """Return the time of a level on a machine whose speed is known."""
    steps = sum(
        window.new * speed.step(rows) + speed.start(rows, window.known + prior.lyrics_prefix)
        for window in plan.windows
        for rows in plan.batches
    )
    return steps + plan.n_codes * plan.takes * speed.decode_seconds


def _assumed_seconds(config: ModelConfig, plan: LevelPlan, device: DeviceKind, end: int) -> float:
    """Return the time of a level on a kind of device; `end` 0 is the slowest, 1 the fastest."""
    prior = config.priors[plan.level]
    decoding = _decoding_flops(config.vqvae, plan.level, plan.n_codes) * plan.takes
    return (
        sum(_window_seconds(prior, plan, window, device, end) for window in plan.windows)
        + decoding / _SPEEDS[device].convolution_flops[end]
    )


def _window_seconds(
    prior: PriorConfig, plan: LevelPlan, window: Window, device: DeviceKind, end: int
) -> float:
    """Return the time of one window over all batches; `end` 0 is the slowest, 1 the fastest."""
    speed = _SPEEDS[device]
    measured = _MEASURED.get((prior.name, device))
    stack = prior.depth * _layer_weights(prior.transformer)
    element = 2 if prior.half_weights else _FLOAT
    step = prior.depth * speed.layer_seconds[end] + stack * element / speed.bytes_per_second[end]
    if measured is not None:
        step = 1 / measured[end]
    primed = window.known + prior.lyrics_prefix
    fixed = 2 * stack * primed / speed.dense_flops[end]
    fixed += _conditioner_flops(prior) / speed.convolution_flops[end]
    if prior.lyrics is not None and prior.lyrics.encoder is not None:
        encoder = prior.lyrics.encoder
        flops = 2 * encoder.depth * _layer_weights(encoder) * encoder.n_ctx
        fixed += flops / speed.dense_flops[end]
    return sum(
        window.new * step * (1 + _BATCH_COST[end] * (rows - 1)) + fixed * rows
        for rows in plan.batches
    )


def _layer_weights(config: TransformerConfig) -> int:
    """Return the weights of one layer: attention (the same for every kind) and MLP."""
    return 4 * config.width * config.state_width + 2 * config.width * config.mlp_width


def _conditioner_flops(prior: PriorConfig) -> float:
    """Return the operations of the upper-code conditioner for one window."""
    config = prior.conditioner
    if config is None:
        return 0.0
    block = 4 * config.m_conv * config.width**2  # a convolution of width 3 and one of width 1
    positions, at = 0, prior.n_ctx // config.factor
    for _ in range(config.downs_t):
        positions += at
        at *= config.strides_t
    return 2 * config.depth * block * positions


def _decoding_flops(config: VQVAEConfig, level: int, n_codes: int) -> float:
    """Return the operations that decode `n_codes` codes of a level to audio."""
    block = 4 * config.m_conv * config.level_width(level) ** 2
    positions, at = 0, n_codes
    for stage in range(level, -1, -1):
        for _ in range(config.downs_t[stage]):
            positions += at
            at *= config.strides_t[stage]
    return 2 * config.level_depth(level) * block * positions


def parameter_count(prior: PriorConfig) -> int:
    """Return the weights of a prior, without biases and norms: within a percent of all of them."""
    width = prior.width
    tables = prior.n_vocabulary * (1 if prior.tied_head else 2) + prior.n_positions
    if prior.labels is not None:
        tables += prior.labels.n_artists + prior.labels.n_genres
    total = prior.depth * _layer_weights(prior.transformer) + tables * width
    if prior.conditioner is not None:
        config = prior.conditioner
        blocks = config.downs_t * config.depth * 4 * config.m_conv * config.width**2
        between = 3 * config.width * width + 4 * config.width * width + 4 * config.width**2
        total += int(blocks) + between + config.upper_codebook_size * width
    if prior.lyrics is not None and prior.lyrics.encoder is not None:
        encoder = prior.lyrics.encoder
        total += encoder.depth * _layer_weights(encoder) + encoder.width * width
    return total


def _peak_bytes(config: ModelConfig, plan: LevelPlan) -> int:
    """Return the most memory of a level: its prior with caches, or the decoding to audio."""
    prior = config.priors[plan.level]
    weights = parameter_count(prior) * (2 if prior.half_weights else _FLOAT)
    rows = max(plan.batches)
    state = prior.transformer.state_width
    cache = rows * prior.depth * prior.n_positions * 2 * state * _FLOAT
    work = rows * prior.n_positions * (3 * prior.width + prior.transformer.mlp_width) * _FLOAT
    width = max(config.vqvae.emb_width, config.vqvae.level_width(plan.level))
    n_samples = plan.n_codes * prior.hop_length
    decoding = 6 * n_samples * width * _FLOAT  # one take at a time
    return _PROCESS_BYTES + max(weights + cache + work, decoding)


def total_new_codes(plans: Sequence[LevelPlan]) -> int:
    """Return the codes that all levels and takes will add."""
    return sum(plan.takes * sum(window.new for window in plan.windows) for plan in plans)
