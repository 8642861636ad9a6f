"""Films of living people and of pictures held before a camera, made for measuring what tells them apart. `python -m tools.attacks`."""
