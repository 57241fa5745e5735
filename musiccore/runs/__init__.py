"""A durable run: verified and mended."""
