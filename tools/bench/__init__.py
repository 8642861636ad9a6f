"""Measures Doorward on this machine. `python -m tools.bench --help`."""
