"""Cascade files: the whole chain from labels to audio, alignment, co-composition."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch

from musiccore.models.labels import Labeller, Labels, LabelTables
from musiccore.models.prior import Prior
from musiccore.models.vqvae import VQVAE
from musiccore.parity.codecs import build_vqvae
from musiccore.parity.priors import build_prior, greedy_options
from musiccore.parity.report import GoldenFile
from musiccore.sampling.alignment import align
from musiccore.sampling.chain import LevelSampler, complete_level, extend_level
from musiccore.sampling.sampler import CodeArray

_WINDOW = re.compile(r"out/window_(y|lyric_indices)_l(\d+)_start(\d+)")
_STEP = re.compile(r"out/cocompose/z_l(\d+)_after_step(\d+)")


def cascade(file: GoldenFile) -> None:
    """Compare everything a cascade file holds."""
    hyper = file.config
    vqvae = build_vqvae(hyper.table("vqvae"), file.under("vqvae/param/"))
    priors = [
        build_prior(table, file.under(f"prior{level}/param/"))
        for level, table in enumerate(hyper.tables("priors"))
    ]
    samplers = [_sampler(file, prior, level) for level, prior in enumerate(priors)]
    _window_labels(file, samplers)
    _cocompose(file, samplers)
    n_items = hyper.integer("n_samples")
    nothing: CodeArray = np.zeros((n_items, 0), dtype=np.int64)
    if file.under("out/ancestral/"):
        _chain(file, vqvae, samplers, [nothing] * len(priors), "ancestral")
    if file.under("out/primed/"):
        prompt = [codes.numpy() for codes in vqvae.encode(file.given("in/x_prompt").mT)]
        for level, codes in enumerate(prompt):
            name = f"out/primed/z_prompt_l{level}"
            file.compare(name, torch.from_numpy(codes), part="primed")
        _chain(file, vqvae, samplers, prompt, "primed")
    for name, codes_name in (
        ("out/ancestral/alignment_", f"out/ancestral/z_l{len(priors) - 1}"),
        ("out/short_alignment_", f"in/short_z_l{len(priors) - 1}"),
    ):
        if file.under(name):
            _alignment(file, priors[-1], samplers[-1], name, file.given(codes_name).numpy())


def _sampler(file: GoldenFile, prior: Prior, level: int) -> LevelSampler:
    hyper, config = file.config, prior.config
    labeller: Labeller | None = None
    labels: list[Labels] = []
    if config.labels is not None:
        labeller = Labeller(config, LabelTables(rules=config.labels.rules))
        for item, vector in enumerate(file.given(f"in/y_l{level}").numpy()):
            tokens: tuple[int, ...] = ()
            if config.n_lyrics_tokens:
                tokens = tuple(file.given(f"in/full_tokens_{item}").tolist())
            labels.append(Labels(vector=vector, all_lyrics_tokens=tokens))
    return LevelSampler(
        prior=prior,
        window_hop=int(hyper.numbers("hop_fraction")[level] * config.n_ctx),
        options=greedy_options(hyper),
        labeller=labeller,
        labels=labels,
        max_batch=hyper.integer("max_batch_size"),
    )


def _chain(
    file: GoldenFile,
    vqvae: VQVAE,
    samplers: Sequence[LevelSampler],
    known: Sequence[CodeArray],
    part: str,
) -> None:
    n_samples = file.config.integer("sample_length")
    upper: CodeArray | None = None
    for level in reversed(range(len(samplers))):
        sampler, hop = samplers[level], vqvae.config.hop_lengths[level]
        total = n_samples // hop
        if total < sampler.prior.config.n_ctx:  # the release adds a short level to its primer
            upper = extend_level(sampler, known[level], total, upper=upper)
        else:
            upper = complete_level(sampler, known[level], total, upper=upper)
        codes = torch.from_numpy(upper)
        file.compare(f"out/{part}/z_l{level}", codes, part=part)
        with torch.no_grad():
            audio = vqvae.decode(codes, level).mT
        file.compare(f"out/{part}/x_l{level}", audio, part=part)


def _window_labels(file: GoldenFile, samplers: Sequence[LevelSampler]) -> None:
    for name in file.expected:
        match = _WINDOW.fullmatch(name)
        if match is None:
            continue
        sampler, start = samplers[int(match[2])], int(match[3])
        assert sampler.labeller is not None
        made = [sampler.labeller.window_labels(labels, start) for labels in sampler.labels]
        found: CodeArray
        if match[1] == "y":
            found = np.stack([vector for vector, _ in made])
        else:
            found = np.array([indices for _, indices in made], dtype=np.int64)
        file.compare(name, torch.from_numpy(found), part="window labels")


def _cocompose(file: GoldenFile, samplers: Sequence[LevelSampler]) -> None:
    wanted = {m[0]: (int(m[1]), int(m[2])) for m in map(_STEP.fullmatch, file.expected) if m}
    if not wanted:
        return
    steps = file.config.integers("cocompose_steps")
    for level in sorted({level for level, _ in wanted.values()}):
        codes: CodeArray = np.zeros((file.config.integer("n_samples"), 0), dtype=np.int64)
        for step, n_new in enumerate(steps):
            codes = extend_level(samplers[level], codes, n_new)
            name = f"out/cocompose/z_l{level}_after_step{step}"
            file.compare(name, torch.from_numpy(codes), part="co-composition")


def _alignment(
    file: GoldenFile, prior: Prior, sampler: LevelSampler, name: str, codes: CodeArray
) -> None:
    assert sampler.labeller is not None
    found = align(prior, codes, sampler.labeller, sampler.labels, sampler.window_hop)
    for item, matrix in enumerate(found):
        file.compare(f"{name}{item}", torch.from_numpy(matrix), part="alignment")
