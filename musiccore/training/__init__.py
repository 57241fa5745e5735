"""Training: data, optimiser steps, and the recipe of the embedded model.

Paper: "VQ-VAE", "Music priors" and their training appendix.
"""
