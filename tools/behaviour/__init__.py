"""What behaviour is worth: ordinary passes and staged incidents through the watcher and the risk rules (`python -m tools.behaviour`)."""
