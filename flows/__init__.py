"""Flows: prose over tasks. The command line lives here as well (`python -m flows`)."""
