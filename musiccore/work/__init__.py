"""Long work: where it may stop, how far it is, how long the rest takes."""
