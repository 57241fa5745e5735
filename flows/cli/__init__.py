"""The `jukeflow` command: one module per family of sub-commands, imported when it is asked for."""
