"""The kernel's SPI devices for gpiozero, without a further package: one full-duplex transfer is one ioctl.

Format: include/uapi/linux/spi/spidev.h (struct spi_ioc_transfer, SPI_IOC_MESSAGE).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Sequence
from typing import Any

from gpiozero import SPI

CLOCK_HZ = 500_000
"""An MCP3008 at 3.3 V takes 1.35 MHz at 2.7 V supply (Microchip DS21295); long wires like it slower."""

TRANSFER = struct.Struct("=QQIIHBBBBBB")
"""tx_buf, rx_buf, len, speed_hz, delay_usecs, bits_per_word, cs_change, tx_nbits, rx_nbits, word_delay_usecs, pad."""

SPI_IOC_MESSAGE_1 = 0x40006B00 | TRANSFER.size << 16
"""_IOW('k', 0, char[32])"""


class SpiDevice(SPI):  # type: ignore[misc]  # gpiozero is not typed
    """/dev/spidevPORT.DEVICE in mode 0. Raises OSError when it cannot be opened, or does not answer the ioctl."""

    _file = -1  # gpiozero closes also what could not be opened

    def __init__(self, port: int, device: int, pin_factory: Any) -> None:
        self._file = os.open(f"/dev/spidev{port}.{device}", os.O_RDWR | os.O_CLOEXEC)
        super().__init__(pin_factory=pin_factory)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        super().close()

    @property
    def closed(self) -> bool:
        return self._file < 0

    def transfer(self, data: Sequence[int]) -> list[int]:
        """Bytes out, as many bytes in."""
        out = (ctypes.c_uint8 * len(data))(*data)
        into = (ctypes.c_uint8 * len(data))()
        message = TRANSFER.pack(ctypes.addressof(out), ctypes.addressof(into), len(data), CLOCK_HZ, 0, 8, 0, 0, 0, 0, 0)
        fcntl.ioctl(self._file, SPI_IOC_MESSAGE_1, message)
        return list(into)

    def _get_bits_per_word(self) -> int:
        return 8
