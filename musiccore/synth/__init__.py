"""A score played: our instruments, FluidSynth, the sound card."""
