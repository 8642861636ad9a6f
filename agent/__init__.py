"""Doorward: the program on a door controller."""

__version__ = "0.1.0"
