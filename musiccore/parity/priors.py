"""Prior and upsampler files: conditioning, logits, losses, gradients, greedy sampling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from musiccore.errors import CheckpointError
from musiccore.models.checkpoints import load_state, to_our_names
from musiccore.models.config import PriorConfig
from musiccore.models.prior import Prior
from musiccore.models.published_names import our_name
from musiccore.parity.published import Hyper, prior_config
from musiccore.parity.report import GoldenFile
from musiccore.sampling.decode import StepDecoder
from musiccore.sampling.sampler import CodeArray, LevelOptions, sample_window
from musiccore.sampling.windows import Window


def build_prior(hyper: Hyper, state: Mapping[str, Tensor]) -> Prior:
    """Return a prior with published hyper-parameters and parameters."""
    config = prior_config(hyper)
    network = Prior(config)
    load_state(network, to_our_names(state, config), source="the golden file")
    return network.eval()


def greedy_options(hyper: Hyper) -> LevelOptions:
    """Return how the file was sampled.

    Raises:
        CheckpointError: if not greedily, so that nothing can be compared.
    """
    top_k = hyper.integer("top_k") if hyper.has("top_k") else 1
    if top_k != 1:
        raise CheckpointError(f"the file was sampled with top_k {top_k}; only 1 is comparable")
    temperature = hyper.number("temp") if hyper.has("temp") else 1.0
    return LevelOptions(temperature=temperature, top_k=top_k)


class RecordingDecoder:
    """A decoder that keeps its logits."""

    def __init__(self, decoder: StepDecoder) -> None:
        self._decoder = decoder
        self.logits: list[Tensor] = []

    @property
    def config(self) -> PriorConfig:
        """The configuration of the prior."""
        return self._decoder.config

    def start_window(
        self, known: Tensor, *, labels: Tensor | None = None, upper: Tensor | None = None
    ) -> None:
        """Prime the decoder."""
        self._decoder.start_window(known, labels=labels, upper=upper)

    def step(self, tokens: Tensor | None = None) -> Tensor:
        """Step the decoder."""
        logits = self._decoder.step(tokens)
        self.logits.append(logits)
        return logits


def prior(file: GoldenFile) -> None:
    """Compare everything a prior file holds."""
    network = build_prior(file.config, file.under("param/"))
    with torch.no_grad():
        _conditioning(file, network)
        _forward(file, network)
    _training(file, network)
    with torch.no_grad():
        _sampling(file, network)


def _conditioning(file: GoldenFile, network: Prior) -> None:
    labels = file.maybe("in/y")
    known = network.condition(labels, file.maybe("in/z_cond"))
    part = "conditioning"
    if known.start is not None:
        file.compare("out/y_cond", known.start, part=part)
    if known.per_position is not None:
        music = known.per_position[:, network.config.lyrics_prefix :]
        file.compare("out/x_cond", music, part=part)
    if known.lyrics_states is not None and labels is not None:
        file.compare("out/encoder_kv", known.lyrics_states, part=part)
        acts = network.lyrics_encoder(network.lyrics_tokens(labels))
        file.compare("out/prime_acts", acts, part=part)


def _forward(file: GoldenFile, network: Prior) -> None:
    inputs = file.given("in/z"), file.maybe("in/z_cond"), file.maybe("in/y")
    file.check("out/logits", lambda: network(*inputs), part="forward")
    loss = network.loss(*inputs)
    file.compare("out/loss", loss.total, part="forward")
    file.compare("out/gen_loss", loss.codes, part="forward")
    file.compare("out/bpd", loss.codes, part="forward")
    file.compare("out/prime_loss", loss.lyrics, part="forward")


def _training(file: GoldenFile, network: Prior) -> None:
    gradients = file.under("out/grad/")
    if not gradients and not file.wants("out/train_loss"):
        return
    network.train()
    loss = network.loss(file.given("in/z"), file.maybe("in/z_cond"), file.maybe("in/y")).total
    file.compare("out/train_loss", loss, part="training")
    loss.backward()
    for name in gradients:
        parameter = network.get_parameter(our_name(name, network.config))
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        file.compare(f"out/grad/{name}", found, part="training")
    network.zero_grad(set_to_none=True)
    network.eval()


def _sampling(file: GoldenFile, network: Prior) -> None:
    n_ctx = network.config.n_ctx
    _greedy(file, network, "greedy_ancestral", n_ctx, "out/incremental_logits_ancestral")
    if file.wants("out/greedy_primed", "out/greedy_primed_raw_tokens"):
        _greedy(file, network, "greedy_primed", n_ctx)
    if file.wants("out/greedy_partial", "out/greedy_partial_raw_tokens"):
        total = file.config.integer("partial_sample_tokens")
        _greedy(file, network, "greedy_partial", total)


def _greedy(
    file: GoldenFile, network: Prior, name: str, total: int, logits_name: str | None = None
) -> None:
    """Sample one window with the real sampler and compare codes, raw ids and logits."""
    config = network.config
    batch = len(file.given("in/z"))
    known = torch.zeros(batch, 0, dtype=torch.int64)
    if name != "greedy_ancestral":
        known = file.given("in/z_prime")
    labels, upper = file.maybe("in/y"), file.maybe("in/z_cond")
    window = Window(index=0, start=0, end=total, known=known.shape[1])
    with StepDecoder(network, batch) as decoder:
        recorder = RecordingDecoder(decoder)
        new = sample_window(
            recorder,
            window,
            known.numpy(),
            None if upper is None else upper.numpy(),
            None if labels is None else labels.numpy(),
            greedy_options(file.config),
            seed=0,
            takes=range(batch),
        )
    codes: CodeArray = np.concatenate([known.numpy(), new], axis=1)
    file.compare(f"out/{name}", torch.from_numpy(codes), part="sampling")
    logits = torch.stack(recorder.logits, dim=1)
    prefix = network.sequence(known, labels)  # lyrics and known codes as they are fed
    raw = torch.cat([prefix, logits.argmax(dim=2)], dim=1)
    file.compare(f"out/{name}_raw_tokens", raw, part="sampling")
    if logits_name is not None and file.wants(logits_name):
        if config.lyrics_prefix:
            first = network(known, None, labels)  # the priming pass over the lyrics
            logits = torch.cat([first, logits], dim=1)
        file.compare(logits_name, logits, part="sampling")
