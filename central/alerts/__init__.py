"""Who is told of what, until somebody has seen it."""
