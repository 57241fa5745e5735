"""Sampling: windows, randomness, choice of codes, decoding and alignment."""
