"""Where annotated frames go: into a film, or as pictures into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from agent.errors import ConfigError, FilmError
from hw.interfaces import Pixels

CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
"""Those that OpenCV's own FFMPEG can write. Web browsers play the last; players play all."""
JPEG_QUALITY = 90
LONGEST_STILL_S = 10.0
"""A gap in a film is filled with its last picture, but not for longer."""


class Output(Protocol):
    """Takes the annotated frames of one film."""

    def put(self, pixels: Pixels, at_s: float) -> None:
        """Frames come in order; raises FilmError when they cannot be written."""
        ...

    def close(self) -> None:
        """The film is over; raises FilmError when what was put did not come onto the disk."""
        ...

    def discard(self) -> None:
        """The film was broken off: half of a film is none. Pictures that are there stay."""
        ...


class Nowhere:
    """Nothing is kept."""

    def put(self, pixels: Pixels, at_s: float) -> None:
        pass

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


class Pictures:
    """A JPEG for each frame: FOLDER/NAME-000123.jpg."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._count = folder, name, 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FilmError(f"{folder}: cannot be made a folder of pictures: {error.strerror}") from error

    def put(self, pixels: Pixels, at_s: float) -> None:
        self._count += 1
        path = self._folder / f"{self._name}-{self._count:06d}.jpg"
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        try:
            path.write_bytes(jpeg.tobytes())
        except OSError as error:
            raise FilmError(f"{path}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


class FilmFile:
    """A film at a constant rate, whatever the times of its frames. It has its name once it is whole, and another before."""

    def __init__(self, path: Path, frames_per_s: float) -> None:
        self._path, self._rate = path, frames_per_s
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size, self._written = (0, 0), 0

    def put(self, pixels: Pixels, at_s: float) -> None:
        writer = self._writer or self._open(pixels)
        fitted = self._fitted(pixels)
        repeats = min(round(at_s * self._rate) + 1 - self._written, round(LONGEST_STILL_S * self._rate))
        for _ in range(max(1, repeats)):
            writer.write(fitted)
            self._written += 1

    def close(self) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if not self._is_whole():
            self._part.unlink(missing_ok=True)
            raise FilmError(f"{self._path}: could not be written to its end: is the disk full?")
        try:
            self._part.replace(self._path)
        except OSError as error:
            raise FilmError(f"{self._path}: cannot be written: {error.strerror}") from error

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.release()
        self._part.unlink(missing_ok=True)

    def _is_whole(self) -> bool:
        """OpenCV says nothing of a disk that is full; an index that was not written, or counts fewer frames, does."""
        written = cv2.VideoCapture(str(self._part), cv2.CAP_FFMPEG)
        try:
            return written.isOpened() and round(written.get(cv2.CAP_PROP_FRAME_COUNT)) >= self._written - 1
        finally:
            written.release()

    def _open(self, pixels: Pixels) -> cv2.VideoWriter:
        # Codecs halve the colours' resolution: an odd last row or column is doubled.
        self._size = (pixels.shape[1] + pixels.shape[1] % 2, pixels.shape[0] + pixels.shape[0] % 2)
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()
        except OSError as error:
            raise FilmError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, codec, self._rate, self._size)
        if not self._writer.isOpened():
            raise FilmError(f"{self._path}: this OpenCV cannot write such a film; try .mp4, or a folder of pictures")
        return self._writer

    def _fitted(self, pixels: Pixels) -> Pixels:
        """The size of the film's first picture; a camera may change its own in the middle."""
        width, height = self._size
        down, across = height - pixels.shape[0], width - pixels.shape[1]
        if down in (0, 1) and across in (0, 1):
            return np.asarray(cv2.copyMakeBorder(pixels, 0, down, 0, across, cv2.BORDER_REPLICATE), np.uint8)
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def is_film_name(path: Path) -> bool:
    """Whether `--out` names a film; anything without an ending is a folder. Raises ConfigError for other files."""
    if path.suffix.lower() in CODECS and not path.is_dir():
        return True
    if path.suffix and not path.is_dir():
        raise ConfigError(f"--out {path}: a film's name ends in {', '.join(CODECS)}; a folder's has no ending")
    if path.is_file():
        raise ConfigError(f"--out {path}: is a file, and a folder is needed; name a film by its ending ({', '.join(CODECS)})")
    return False


def output_for(out: Path | None, name: str, frames_per_s: float) -> Output:
    """What `--out` asks for, for one film; `name` begins the names of its pictures."""
    if out is None:
        return Nowhere()
    return FilmFile(out, frames_per_s) if is_film_name(out) else Pictures(out, name)
