"""The networks, their configurations, labels and weights."""
