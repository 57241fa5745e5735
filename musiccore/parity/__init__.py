"""Parity with the published program: golden arrays and tables of parameters."""
