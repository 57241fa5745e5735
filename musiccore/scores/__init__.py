"""Notes: MIDI, MusicXML, ABC, tokens, keys, harmony."""
