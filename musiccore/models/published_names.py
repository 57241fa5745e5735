"""Our parameter names ↔ those of the published checkpoints.

The rules are complete in both directions, and each pairs one form of name with one other, so
converting a checkpoint is renaming and nothing else.

Fields of a rule: `{p}` is `weight` or `bias`; `{q}` the same in our names, `w` or `b` in published
ones; `{n}` the number of units of stage `{i}`; any other letter is a number (`{u+1}` is one more
than `{u}`): l level, i stage, u unit, r residual block, d layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from musiccore.errors import CheckpointError
from musiccore.models.config import PriorConfig, VQVAEConfig

NetworkConfig = VQVAEConfig | PriorConfig
_Rules = tuple[tuple[str, str], ...]

_VQVAE_RULES: _Rules = (
    ("encoders.{l}.stages.{i}.units.{u}.conv.{p}", "encoders.{l}.level_blocks.{i}.model.{u}.0.{p}"),
    (
        "encoders.{l}.stages.{i}.units.{u}.stack.{r}.conv1.{p}",
        "encoders.{l}.level_blocks.{i}.model.{u}.1.model.{r}.model.1.{p}",
    ),
    (
        "encoders.{l}.stages.{i}.units.{u}.stack.{r}.conv2.{p}",
        "encoders.{l}.level_blocks.{i}.model.{u}.1.model.{r}.model.3.{p}",
    ),
    ("encoders.{l}.stages.{i}.leave.{p}", "encoders.{l}.level_blocks.{i}.model.{n}.{p}"),
    ("decoders.{l}.stages.{i}.enter.{p}", "decoders.{l}.level_blocks.{i}.model.0.{p}"),
    (
        "decoders.{l}.stages.{i}.units.{u}.stack.{r}.conv1.{p}",
        "decoders.{l}.level_blocks.{i}.model.{u+1}.0.model.{r}.model.1.{p}",
    ),
    (
        "decoders.{l}.stages.{i}.units.{u}.stack.{r}.conv2.{p}",
        "decoders.{l}.level_blocks.{i}.model.{u+1}.0.model.{r}.model.3.{p}",
    ),
    (
        "decoders.{l}.stages.{i}.units.{u}.conv.{p}",
        "decoders.{l}.level_blocks.{i}.model.{u+1}.1.{p}",
    ),
    ("decoders.{l}.leave.{p}", "decoders.{l}.out.{p}"),
    ("codebooks.{l}.codes", "bottleneck.level_blocks.{l}.k"),
)

# Residual blocks of the conditioner are published under `blocks`, the VQ-VAE's under `model`.
_CONDITIONER_RULES: _Rules = (
    ("conditioner.embed.weight", "conditioner_blocks.0.x_emb.weight"),
    ("conditioner.enter.{p}", "conditioner_blocks.0.cond.model.0.{p}"),
    (
        "conditioner.units.{u}.stack.{r}.conv1.{p}",
        "conditioner_blocks.0.cond.model.{u+1}.0.blocks.{r}.model.1.{p}",
    ),
    (
        "conditioner.units.{u}.stack.{r}.conv2.{p}",
        "conditioner_blocks.0.cond.model.{u+1}.0.blocks.{r}.model.3.{p}",
    ),
    ("conditioner.units.{u}.conv.{p}", "conditioner_blocks.0.cond.model.{u+1}.1.{p}"),
    ("conditioner.norm.{p}", "conditioner_blocks.0.ln.{p}"),
    ("labels.genre.weight", "y_emb.bow_genre_emb.emb.weight"),
    ("labels.artist.weight", "y_emb.artist_emb.emb.weight"),
    ("time.total.weight", "y_emb.total_length_emb.emb.weight"),
    ("time.absolute.weight", "y_emb.absolute_pos_emb.emb.weight"),
    ("time.relative.weight", "y_emb.relative_pos_emb.emb.weight"),
    ("lyrics_projection.{q}", "prime_state_proj.{q}"),
    ("lyrics_norm.{p}", "prime_state_ln.{p}"),
    ("lyrics_head.weight", "prime_x_out.weight"),
)

_TRANSFORMER_RULES: _Rules = (
    ("positions", "pos_emb.pos_emb"),
    ("start", "start_token"),
    ("embed.weight", "x_emb.weight"),
    ("head.weight", "x_out.weight"),
    ("layers.{d}.attention.input.{q}", "transformer._attn_mods.{d}.attn.c_attn.{q}"),
    ("layers.{d}.attention.encoder_input.{q}", "transformer._attn_mods.{d}.attn.c_enc_kv.{q}"),
    ("layers.{d}.attention.output.{q}", "transformer._attn_mods.{d}.attn.c_proj.{q}"),
    ("layers.{d}.norm_attention.{p}", "transformer._attn_mods.{d}.ln_0.{p}"),
    ("layers.{d}.norm_mlp.{p}", "transformer._attn_mods.{d}.ln_1.{p}"),
    ("layers.{d}.mlp.input.{q}", "transformer._attn_mods.{d}.mlp.c_fc.{q}"),
    ("layers.{d}.mlp.output.{q}", "transformer._attn_mods.{d}.mlp.c_proj.{q}"),
)

_PRIOR_RULES: _Rules = (
    *_CONDITIONER_RULES,
    *((f"decoder.{ours}", f"prior.{theirs}") for ours, theirs in _TRANSFORMER_RULES),
    *((f"lyrics_encoder.{ours}", f"prime_prior.{theirs}") for ours, theirs in _TRANSFORMER_RULES),
)

_FIELD = re.compile(r"\{(\w)(\+1)?\}")
_SHORT = {"weight": "w", "bias": "b"}
_LONG = {"w": "weight", "b": "bias"}


def published_name(name: str, config: NetworkConfig) -> str:
    """Return the published name of one of our parameters.

    Raises:
        CheckpointError: if no rule covers it.
    """
    for ours, theirs in _rules(config):
        match = _pattern(ours, False).fullmatch(name)
        if match is not None:
            values = match.groupdict()
            return _fill(theirs, values | {"n": _n_units(values, config)}, True)
    raise CheckpointError(f"no published name is known for parameter {name!r}")


def our_name(published: str, config: NetworkConfig) -> str:
    """Return our name of a published parameter.

    A `module.` prefix (data-parallel training) is dropped, and both containers that the released
    program can use for the conditioner's residual blocks are understood.

    Raises:
        CheckpointError: if no rule covers it.
    """
    name = published.removeprefix("module.")
    name = re.sub(r"(cond\.model\.\d+\.0\.)model\.", r"\1blocks.", name)
    for ours, theirs in _rules(config):
        match = _pattern(theirs, True).fullmatch(name)
        if match is None:
            continue
        values = {
            key: _LONG[value] if key == "q" else value for key, value in match.groupdict().items()
        }
        if "{u+1}" in theirs:
            values["u"] = str(int(values["u"]) - 1)
        fits = "n" not in values or values["n"] == _n_units(values, config)
        if fits and int(values.get("u", 0)) >= 0:
            return _fill(ours, values, False)
    raise CheckpointError(f"the checkpoint holds {published!r}, which is no part of {config.name}")


def _rules(config: NetworkConfig) -> _Rules:
    return _VQVAE_RULES if isinstance(config, VQVAEConfig) else _PRIOR_RULES


def _n_units(values: Mapping[str, str], config: NetworkConfig) -> str:
    """Return the units of the stage `{i}`, "" where there is no such stage."""
    stage = int(values.get("i", 0))
    if not isinstance(config, VQVAEConfig) or stage >= config.levels:
        return ""
    return str(config.downs_t[stage])


@cache
def _pattern(template: str, published: bool) -> re.Pattern[str]:
    """Return what the names of a template match, one group per field."""
    parts: list[str] = []
    end = 0
    for field in _FIELD.finditer(template):
        parts.append(re.escape(template[end : field.start()]))
        kind = field.group(1)
        form = r"\d+"
        if kind in "pq":
            form = "w|b" if published and kind == "q" else "weight|bias"
        parts.append(f"(?P<{kind}>{form})")
        end = field.end()
    return re.compile("".join(parts) + re.escape(template[end:]))


def _fill(template: str, values: Mapping[str, str], published: bool) -> str:
    def one(field: re.Match[str]) -> str:
        value = values[field.group(1)]
        if field.group(2):
            return str(int(value) + 1)
        return _SHORT[value] if published and field.group(1) == "q" else value

    return _FIELD.sub(one, template)
