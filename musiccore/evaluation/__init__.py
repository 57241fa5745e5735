"""Gates of the embedded model, with controls, recomputed from the weights on held-out pieces."""

from musiccore.evaluation.gates import Gate
from musiccore.evaluation.nano_gates import evaluate

__all__ = ["Gate", "evaluate"]
