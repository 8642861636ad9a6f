"""`doorward eval`: how good the networks are on lists of pictures. Loaded by no door and no vision program."""
