"""What leaves a run: audio of takes and songs with their provenance, and made again from a file."""
