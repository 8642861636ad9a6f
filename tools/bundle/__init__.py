"""`make bundle`: everything a door needs in one signed file, so that it is installed without a network."""
