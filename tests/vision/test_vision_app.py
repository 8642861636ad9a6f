"""The vision program as a whole: started, watched over its socket, stopped; and what it says when it cannot start."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.config import Config, parse_config
from agent.core.messages import EvidenceRequest, Observation, VisionHealth
from agent.errors import ConfigError, ModelError
from agent.local_socket import Receiver, Sender, decode_from_vision, encode
from agent.vision_app import run_vision
from models_tflite import manifest
from tests.vision.people import canvas_with, portrait

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Three seconds of the owner standing there, 15 frames a second."""
    path = tmp_path_factory.mktemp("film") / "owner.avi"
    pixels, _ = canvas_with(portrait("owner"), 90, (320, 240))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
    for _ in range(45):
        writer.write(pixels)
    writer.release()
    return path


def config_for(folder: Path, film: Path, **vision: object) -> Config:
    (folder / "run").mkdir(exist_ok=True)
    return parse_config({
        "site": "s", "door": "d", "run_folder": str(folder / "run"), "records": {"folder": str(folder / "records")},
        "deployment": {"keep_evidence": True}, "vision": {"camera": f"file:{film}", "engine": "litert", **vision},
    })  # fmt: skip


class Running:
    """The program on a thread, and the door's end of its sockets."""

    def __init__(self, config: Config) -> None:
        self.door = Receiver(Path(config.run_folder) / "door.sock")
        self.asks = Sender(Path(config.run_folder) / "vision.sock")
        self.stop, self.status = threading.Event(), -1
        self.started_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(config,))
        self._thread.start()

    def _run(self, config: Config) -> None:
        self.status = run_vision(config, self.stop)

    def hear(self, wanted, within_s: float = 20.0):
        """The first message for which `wanted` is true."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            for raw in self.door.drain():
                message = decode_from_vision(raw)
                if wanted(message):
                    return message
            time.sleep(0.01)  # waits for another thread's real camera, not for a clock
        pytest.fail("not heard in time")

    def end(self) -> int:
        self.stop.set()
        self._thread.join(10)
        self.door.close()
        self.asks.close()
        return self.status


def test_from_start_to_a_face_with_an_embedding_to_its_kept_picture_to_the_end(tmp_path, film):
    running = Running(config_for(tmp_path, film))
    try:
        seen = running.hear(lambda m: isinstance(m, Observation) and m.faces and m.faces[0].embedding)
        assert seen.embedder_id == manifest.load_manifest().embedder_id
        assert running.asks.send(encode(EvidenceRequest(event_id="e-1", taken_s=seen.taken_s, granted=True, headline="GRANTED")))
        health = running.hear(lambda m: isinstance(m, VisionHealth))
        assert "litert" in health.engine
        over = running.hear(lambda m: isinstance(m, VisionHealth) and not m.ok)
        assert "film ended" in over.camera
    finally:
        status = running.end()
    assert status == 0
    assert (tmp_path / "records" / "evidence" / "e-1.jpg").exists()
    assert not (tmp_path / "run" / "vision.sock").exists()


def test_random_bytes_do_not_end_it(tmp_path, film):
    running = Running(config_for(tmp_path, film))
    try:
        running.hear(lambda m: isinstance(m, Observation))
        for _ in range(5):
            running.asks.send(os.urandom(200))
        running.hear(lambda m: isinstance(m, VisionHealth))
    finally:
        assert running.end() == 0


def test_a_missing_camera_is_told_to_the_door_and_does_not_end_the_program(tmp_path):
    running = Running(config_for(tmp_path, Path("/no/such/film.avi")))
    try:
        health = running.hear(lambda m: isinstance(m, VisionHealth))
        assert not health.ok
        assert "/no/such/film.avi" in health.camera
    finally:
        assert running.end() == 0


def test_a_model_file_with_one_wrong_byte_stops_it_before_the_camera_is_opened(tmp_path, film):
    models = tmp_path / "models"
    shutil.copytree(manifest.HERE, models)
    broken = models / "face_embedder.tflite"
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    with pytest.raises(ModelError, match=r"face_embedder\.tflite.*sha256"):
        run_vision(config_for(tmp_path, film, models=str(models)), threading.Event())


def test_a_run_folder_that_is_not_there_stops_it_with_the_mend(tmp_path, film):
    config = config_for(tmp_path, film)
    (tmp_path / "run").rmdir()
    with pytest.raises(ConfigError, match="run_folder"):
        run_vision(config, threading.Event())


def test_the_supervisor_hears_that_it_is_ready_alive_and_stopping(tmp_path, film, monkeypatch):
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    supervisor.bind(str(tmp_path / "notify"))
    supervisor.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    running = Running(config_for(tmp_path, film))
    try:
        assert [supervisor.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    finally:
        running.end()
    words = []
    while b"STOPPING=1" not in words:
        words.append(supervisor.recv(100))
    supervisor.close()
    assert np.isin(words, [b"WATCHDOG=1", b"STOPPING=1"]).all()
