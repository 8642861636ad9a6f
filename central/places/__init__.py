"""Where doors are: floor plans, the doors on them, and zones."""
