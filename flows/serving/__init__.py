"""`jukeflow serve`: the flows, a Prefect server and the listening room on one machine."""
