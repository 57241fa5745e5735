"""A recurrent model that composes, continues and harmonises. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musiccore.composer.compose_options import ComposeOptions

if TYPE_CHECKING:
    from musiccore.scores.score import Score

__all__ = ["ComposeOptions", "compose"]


def compose(options: ComposeOptions) -> Score:
    """Make the piece that is asked for; equal options give equal scores.

    Args:
        options: what to make.

    Returns:
        A score whose text says how it was made.

    Raises:
        ConfigError: if a given score does not fit.
        CheckpointError: if the model cannot be read.
    """
    from musiccore.composer.compose import compose_piece

    return compose_piece(options)
