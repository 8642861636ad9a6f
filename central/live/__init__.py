"""Live view and intercom at the centre: who may watch, what is on record of it, and how browser and door find each other."""
