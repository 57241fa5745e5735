"""VQ-VAE: sound to codes at every level, and back.

Paper: "VQ-VAE" and "Separated autoencoders".
"""

from musiccore.models.vqvae.model import VQVAE

__all__ = ["VQVAE"]
