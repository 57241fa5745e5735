"""Durable steps: load, one call into musiccore, save, return a reference."""
