"""The records of one run, and who may write them."""
