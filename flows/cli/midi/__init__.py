"""Sub-commands of `midi`, one file each."""
