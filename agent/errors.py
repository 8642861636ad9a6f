"""Every error Doorward raises on purpose. Each is also a standard type, so callers catch what they mean."""

from __future__ import annotations


class DoorwardError(Exception):
    """Root of all errors that Doorward raises on purpose."""


class ConfigError(DoorwardError, ValueError):
    """The configuration is wrong: the text names file, key and what is allowed."""


class WireError(DoorwardError, ValueError):
    """Bytes from a socket, a topic or a reader are not what the contract allows."""


class JournalError(DoorwardError, OSError):
    """The journal cannot be opened, read or written."""


class BundleError(DoorwardError, ValueError):
    """An access bundle is forged, damaged, older than the one in force or for another door."""


class ModelError(DoorwardError, RuntimeError):
    """A model file is missing, has another hash than the manifest says, or does not run."""


class CameraError(DoorwardError, OSError):
    """The camera cannot be opened or has stopped giving frames."""


class FilmError(DoorwardError, OSError):
    """A film is missing, empty, broken, or ends before its end."""


class HardwareError(DoorwardError, OSError):
    """A pin, a relay or a reader cannot be driven."""


class Refused(DoorwardError, PermissionError):
    """A command was understood and is not carried out; the text is the reason that is published."""
