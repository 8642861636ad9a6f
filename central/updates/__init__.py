"""The room of updates: which packages there are, which door is to run which, and how a new one goes from the first door to the last."""
