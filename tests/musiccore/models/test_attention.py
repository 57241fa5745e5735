"""Every attention kind is dense attention under a mask that is written down here."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import TransformerConfig
from musiccore.models.prior.attention import Attention
from musiccore.models.prior.transformer import Layer

KINDS: tuple[AttentionKind, ...] = (
    "dense",
    "row",
    "column",
    "previous_row",
    "summary",
    "cross",
    "lyrics",
)
L, BLOCKS, C = 24, 4, 6


def config(**changes: object) -> TransformerConfig:
    values: dict[str, object] = {
        "n_ctx": L,
        "width": 12,
        "depth": 1,
        "heads": 2,
        "attention_order": 0,
        "blocks": BLOCKS,
        "m_attn": 0.5,
        "init_scale": 30.0,
        "lyrics_len": 9,
    }
    return TransformerConfig(**(values | changes))  # type: ignore[arg-type]


def visible(kind: AttentionKind, i: int, j: int) -> bool:
    """Whether position i reads position j."""
    if kind == "dense":
        return j <= i
    if kind == "row":
        return j <= i and j // C == i // C
    if kind == "column":
        return j <= i and j % C == i % C
    if kind == "previous_row":
        return j // C == i // C - 1
    assert kind == "lyrics"
    return j <= i and j < (9 // BLOCKS + 1) * BLOCKS


def slowly(attention: Attention, x: Tensor, states: Tensor) -> Tensor:
    """Attend position by position, head by head, with nothing but the definition."""
    kind, heads = attention.kind, attention.heads
    state = attention.output.weight.shape[0]
    q = x @ attention.input.weight + attention.input.bias
    if kind == "cross":
        k, v = (states @ attention.encoder_input.weight + attention.encoder_input.bias).chunk(2, 2)
    else:
        q, k, v = q.chunk(3, 2)
    d = state // heads
    rows = []
    for b in range(len(x)):
        out = torch.zeros(x.shape[1], state)
        for i in range(x.shape[1]):
            for h in range(heads):
                part = slice(h * d, (h + 1) * d)
                keys, values = k[b, :, part], v[b, :, part]
                if kind == "summary":
                    ends = [s * C - 1 for s in range(1, BLOCKS) if i >= s * C - 1]
                    keys = torch.cat([torch.zeros(1, d), keys[ends]])
                    values = torch.cat([torch.zeros(1, d), values[ends]])
                elif kind != "cross":
                    seen = [j for j in range(x.shape[1]) if visible(kind, i, j)]
                    keys, values = keys[seen], values[seen]
                if len(keys):
                    out[i, part] = ((keys @ q[b, i, part]) * d**-0.5).softmax(0) @ values
        rows.append(out)
    return torch.stack(rows) @ attention.output.weight + attention.output.bias


def make(kind: AttentionKind) -> Attention:
    torch.manual_seed(3)
    attention = Attention(config(), kind)
    torch.nn.init.normal_(attention.output.weight)
    torch.nn.init.normal_(attention.output.bias)
    return attention


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [L, 17])
@torch.no_grad()
def test_kind_is_dense_attention_under_its_mask(kind: AttentionKind, length: int) -> None:
    attention = make(kind)
    x, states = torch.randn(2, length, 12), torch.randn(2, 5, 12)
    expected = slowly(attention, x, states)
    torch.testing.assert_close(attention(x, states), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_first_block_of_previous_row_is_the_bias_alone() -> None:
    attention = make("previous_row")
    first = attention(torch.randn(2, L, 12))[:, :C]
    assert torch.equal(first, attention.output.bias.expand_as(first))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cross"])
def test_no_position_depends_on_a_later_one(kind: AttentionKind) -> None:
    torch.manual_seed(5)
    layer = Layer(config(), kind)
    h = torch.randn(1, L, 12, requires_grad=True)
    out = layer(h)
    for i in (0, C - 1, C, 2 * C + 1, L - 1):
        (gradient,) = torch.autograd.grad(out[0, i].sum(), h, retain_graph=True)
        assert not gradient[0, i + 1 :].any()
        assert gradient[0, i].any()


@pytest.mark.parametrize("kind", ["column", "previous_row", "lyrics", "dense"])
def test_a_position_reaches_back_over_a_block_boundary(kind: AttentionKind) -> None:
    torch.manual_seed(5)
    layer = Layer(config(), kind)
    h = torch.randn(1, L, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(h)[0, 2 * C + 1].pow(2).sum(), h)
    assert gradient[0, : 2 * C].any()
