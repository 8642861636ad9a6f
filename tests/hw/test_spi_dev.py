"""SPI without a package of its own: what is handed to the kernel is what its header says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hw.spi_dev import SPI_IOC_MESSAGE_1, TRANSFER, SpiDevice

PROGRAM = r"""
#include <linux/spi/spidev.h>
#include <stddef.h>
#include <stdio.h>
int main(void) {
    printf("%zu %lu %zu %zu %zu %zu\n", sizeof(struct spi_ioc_transfer), (unsigned long)SPI_IOC_MESSAGE(1),
           offsetof(struct spi_ioc_transfer, rx_buf), offsetof(struct spi_ioc_transfer, len),
           offsetof(struct spi_ioc_transfer, speed_hz), offsetof(struct spi_ioc_transfer, bits_per_word));
    return 0;
}
"""


def test_the_message_is_the_kernels_own_structure(tmp_path: Path):
    (tmp_path / "spi.c").write_text(PROGRAM)
    built = subprocess.run(["cc", "-o", "spi", "spi.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"no C compiler with the kernel's headers: {built.stderr[:200]}")
    told = subprocess.run([str(tmp_path / "spi")], capture_output=True, text=True, check=True).stdout
    assert [int(word) for word in told.split()] == [TRANSFER.size, SPI_IOC_MESSAGE_1, 8, 16, 20, 26]


def test_a_bus_that_is_not_switched_on_is_named():
    with pytest.raises(OSError, match=r"spidev7\.9"):
        SpiDevice(7, 9, None)
