"""`doorward media`: live view, intercom and evidence clips. It decides nothing, sends nothing unasked, and may die at any moment."""
