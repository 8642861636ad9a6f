"""The networks that a door runs, as files, and what is known of them. Knows `agent.errors` only."""
