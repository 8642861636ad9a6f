"""Recorded episodes: what the chain saw of real pictures, and what the watcher and the risk rules must make of it."""
