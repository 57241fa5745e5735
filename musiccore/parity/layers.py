"""Single layers: attention units, conditioners, labels."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
from torch import Tensor, nn

from musiccore.errors import CheckpointError
from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import (
    LabelsConfig,
    PriorConfig,
    TimeConfig,
    TransformerConfig,
)
from musiccore.models.presets import preset
from musiccore.models.prior.attention import Attention
from musiccore.models.prior.cache import BatchPosition, make_cache
from musiccore.models.prior.conditioners import LabelConditioner, TimeSignal, UpperCodeConditioner
from musiccore.models.prior.transformer import MLP, Layer
from musiccore.models.published_names import our_name
from musiccore.parity.published import KINDS, Hyper, conditioner_config
from musiccore.parity.report import GoldenFile

LAYER = "prior.transformer._attn_mods.0."
"""Where the parameters of a single layer would be in a whole prior."""


def load_part_(
    module: nn.Module, state: Mapping[str, Tensor], published: str, ours: str
) -> nn.Module:
    """Load a part of a prior through the table of names.

    Args:
        module: the part.
        state: its parameters; names lack the prefix that they have in a whole prior.
        published, ours: that prefix on either side.
    """
    config = preset("tiny").priors[0]  # the rules of names are those of any prior
    renamed = {
        our_name(published + name, config).removeprefix(ours): value
        for name, value in state.items()
    }
    module.load_state_dict(renamed)
    return module.eval()


def attention_kind_of(hyper: Hyper) -> AttentionKind:
    """Return the attention kind of a published number.

    Raises:
        CheckpointError: if it is not implemented.
    """
    number = hyper.integer("attn_func")
    if number not in KINDS:
        raise CheckpointError(f"attention type {number} is not implemented")
    return KINDS[number]


def stepwise(
    attention: Attention,
    config: TransformerConfig,
    x: Tensor,
    n_known: int,
    *,
    encoder_states: Tensor | None = None,
    masked: bool = False,
) -> Tensor:
    """Evaluate an attention layer with its cache.

    Args:
        attention: the layer.
        config: of its stack.
        x: inputs [B, L, W].
        n_known: positions that fill the cache at once; the others follow one by one.
        encoder_states: [B, E, W] for `cross`.
        masked: take the path for rows at positions of their own.

    Returns:
        [B, L - n_known, W].
    """
    batch, length, _ = x.shape
    n_encoder = 0 if encoder_states is None else encoder_states.shape[1]
    cache = make_cache(attention.kind, config, batch, n_encoder=n_encoder)
    cache.storage.normal_()  # what an earlier window may have left
    cache.begin_()
    out: list[Tensor] = []
    heads, width = cache.heads, cache.width
    if encoder_states is not None:
        cache.fill_(torch.stack(attention.encoder_key_value(encoder_states)), [0] * batch)
    elif n_known:
        _, k, v = attention.query_key_value(x[:, :n_known])
        cache.fill_(torch.stack((k, v)), [n_known] * batch)
    for position in range(n_known, length):
        new = attention.input(x[:, position])
        if encoder_states is not None:
            q, kv = new.view(batch, heads, 1, width), new
        else:
            parts = new.view(batch, 3, heads, width)
            q, kv = parts[:, 0].unsqueeze(2), parts[:, 1:]
        seen: Tensor | None
        if masked:
            rows = torch.arange(batch)
            place = BatchPosition(positions=torch.full_like(rows, position), rows=rows)
            seen = cache.attend_each(q, kv, place)
        else:
            stacked = kv if encoder_states is not None else kv.transpose(0, 1)
            seen = cache.attend(q.reshape(-1, 1, width), stacked, position)
        if seen is None:
            seen = torch.zeros(batch, heads, 1, width)
        out.append(attention.finish(seen.view(batch, heads, 1, width)))
    return torch.cat(out, dim=1)


@torch.no_grad()
def attention_units(file: GoldenFile) -> None:
    """Compare single attention layers: whole sequence, step by step, and primed."""
    for case in file.config.tables("cases"):
        prefix = str(case.get("prefix"))
        kind = attention_kind_of(case)
        encoder = file.maybe(f"{prefix}in/encoder_kv")
        config = TransformerConfig(
            n_ctx=case.integer("n_ctx"),
            width=case.integer("n_in"),
            depth=1,
            heads=case.integer("n_head"),
            attention_order=0,
            blocks=case.maybe("blocks"),
            m_attn=_share(case.integer("n_state"), case.integer("n_in")),
            encoder_width=None if encoder is None else encoder.shape[2],
            lyrics_len=case.maybe("prime_len") or 0,
        )
        attention = Attention(config, kind)
        ours = "decoder.layers.0.attention."
        load_part_(attention, file.under(f"{prefix}param/"), f"{LAYER}attn.", ours)
        x = file.given(f"{prefix}in/x")
        name, part = f"{prefix}out/y", f"{prefix.strip('/')} {kind}"
        whole = attention(x, encoder)
        file.compare(name, whole, part=part)
        if kind == "summary":
            continue  # no release samples with it
        chunk = case.integer("chunk")
        known = {0, 1, chunk, config.block_ctx, config.block_ctx + chunk, x.shape[1] - 1}
        for n_known in sorted(n for n in known if n < x.shape[1]):
            for masked in (False, True):
                steps = stepwise(
                    attention, config, x, n_known, encoder_states=encoder, masked=masked
                )
                file.compare(name, torch.cat([whole[:, :n_known], steps], dim=1), part=part)


def _share(part: int, whole: int) -> float:
    """Return a factor f with int(f * whole) == part."""
    factor = part / whole
    return factor if int(factor * whole) == part else (part + 0.5) / whole


@torch.no_grad()
def conditioner(file: GoldenFile) -> None:
    """Compare an upper-code conditioner."""
    config, width = conditioner_config(file.config)
    module = UpperCodeConditioner(config, width)
    load_part_(module, file.under("param/"), "conditioner_blocks.0.", "conditioner.")
    file.compare("out/x_cond", module(file.given("in/z")))


@torch.no_grad()
def labels(file: GoldenFile) -> None:
    """Compare a label conditioner and its time signal."""
    hyper = file.config
    n_genres, n_artists = hyper.integers("y_bins")
    slots = hyper.integer("max_bow_genre_size")
    time = None
    if hyper.flag("include_time_signal"):
        time = TimeConfig(
            bins=hyper.integer("t_bins"),
            min_seconds=hyper.number("min_duration"),
            max_seconds=hyper.number("max_duration"),
        )
    embeddings = LabelsConfig(
        rules="v3" if slots == 1 else "v2",
        n_genres=n_genres,
        n_artists=n_artists,
        genre_slots=slots,
    )
    config = PriorConfig(
        name=file.name,
        level=2,
        sample_rate=hyper.integer("sr"),
        hop_length=1,
        n_ctx=hyper.integer("n_time"),
        codebook_size=1,
        width=hyper.integer("out_width"),
        depth=1,
        heads=1,
        attention_order=0,
        blocks=None,
        m_attn=1.0,
        m_mlp=1.0,
        init_scale=1.0,
        tied_head=True,
        readd_conditioning=True,
        labels=embeddings,
        time=time,
    )
    module = nn.ModuleDict({"labels": LabelConditioner(embeddings, config.width, 1.0)})
    if time is not None:
        module["time"] = TimeSignal(config, time)
    load_part_(module, file.under("param/"), "y_emb.", "")
    y = file.given("in/y")
    file.compare("out/start_emb", module["labels"](y))
    if time is not None:
        signal = module["time"]
        assert isinstance(signal, TimeSignal)
        for name, bins in zip(("total", "abs", "rel"), signal.bins(y), strict=True):
            file.compare(f"out/bins_{name}", bins)
        file.compare("out/pos_emb", signal(y))


@torch.no_grad()
def single_layers(file: GoldenFile) -> None:
    """Compare the MLP and the whole layer of a miscellaneous file, where it has them."""
    if file.wants("mlp/out/y"):
        state = file.under("mlp/param/")
        n_in, n_hidden = state["c_fc.w"].shape
        config = TransformerConfig(
            n_ctx=1,
            width=n_in,
            depth=1,
            heads=1,
            attention_order=0,
            blocks=None,
            m_attn=1.0,
            m_mlp=_share(n_hidden, n_in),
        )
        mlp = load_part_(
            MLP(config, zero_output=False), state, f"{LAYER}mlp.", "decoder.layers.0.mlp."
        )
        file.compare("mlp/out/y", mlp(file.given("mlp/in/x")), part="mlp")
    if file.wants("resblock/out/y"):
        hyper = file.config.table("resblock")
        blocks = hyper.maybe("blocks")
        n_ctx = hyper.integer("n_ctx")
        config = TransformerConfig(
            n_ctx=n_ctx if blocks is None else ceil(n_ctx / blocks) * blocks,
            width=hyper.integer("n_in"),
            depth=1,
            heads=hyper.integer("n_head"),
            attention_order=0,
            blocks=blocks,
            m_attn=hyper.number("m_attn"),
            m_mlp=hyper.number("m_mlp"),
        )
        layer = Layer(config, attention_kind_of(hyper))
        load_part_(layer, file.under("resblock/param/"), LAYER, "decoder.layers.0.")
        file.compare("resblock/out/y", layer(file.given("resblock/in/x")), part="layer")
