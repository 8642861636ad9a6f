"""Shared by all tests. A loaded machine is no failure: hypothesis counts examples, not milliseconds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("doorward", deadline=None, max_examples=60)
settings.load_profile("doorward")
