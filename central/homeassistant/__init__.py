"""Doors as devices of Home Assistant: off unless `[homeassistant]` in central.toml says otherwise; docs/HOMEASSISTANT.md."""
