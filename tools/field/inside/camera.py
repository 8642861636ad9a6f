"""Inside the virtual machine, what stands before the door's camera: an empty corridor with a sensor's noise, two pictures a second."""

import sys
import time
from pathlib import Path

import numpy as np

from hw.camera_sim import CameraFarEnd

WIDTH_PX, HEIGHT_PX = 320, 240

noise = np.random.default_rng(1)
wall = np.tile(np.linspace(60, 190, WIDTH_PX, dtype=np.uint8)[None, :, None], (HEIGHT_PX, 1, 3))
camera = CameraFarEnd(Path(sys.argv[1]), WIDTH_PX, HEIGHT_PX)
while True:
    camera.write(wall + noise.integers(0, 6, wall.shape, dtype=np.uint8), time.monotonic())
    time.sleep(0.5)
