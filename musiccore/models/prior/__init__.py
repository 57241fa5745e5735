"""Priors: a top-level prior and upsamplers, one class, told apart by configuration only.

Paper: "Music priors and upsamplers".
"""

from musiccore.models.prior.model import Conditioned, Prior, PriorLoss

__all__ = ["Conditioned", "Prior", "PriorLoss"]
