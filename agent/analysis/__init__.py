"""`doorward analyze`: the door's own chain over films."""
