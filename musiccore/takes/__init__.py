"""Choices, and the tree of takes that they grow."""
