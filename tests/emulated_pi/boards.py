"""The boards that are emulated, and how a program sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Board:
    """A processor together with a system.

    Attributes:
        name: What the command line and the tests call it.
        model: What its device tree calls it.
        cpu: QEMU's name of the processor.
        part: The processor's part number in `/proc/cpuinfo`; libraries choose their kernels by it.
        features: The features there, as Linux on that board lists them.
        architecture: Debian's name of the architecture.
        release: Debian's release.
    """

    name: str
    model: str
    cpu: str
    part: int
    features: str
    architecture: Literal["arm64", "armhf"] = "arm64"
    release: Literal["bookworm", "trixie"] = "bookworm"

    @property
    def files(self) -> dict[str, str]:
        """Files that the kernel of such a board shows, below `/`."""
        return {
            "proc/cpuinfo": self._cpuinfo,
            "proc/device-tree/model": f"{self.model}\0",
            "sys/class/thermal/thermal_zone0/temp": f"{_MILLIDEGREES}\n",
        }

    @property
    def _cpuinfo(self) -> str:
        """Four cores."""
        core = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: {8 if self.architecture == 'arm64' else 7}\nCPU variant\t: 0x0\n"
            f"CPU part\t: {self.part:#05x}\nCPU revision\t: 3\n\n"
        )
        return "".join(f"processor\t: {number}\n{core}" for number in range(4))


_MILLIDEGREES = 48_312
_V8 = "fp asimd evtstrm crc32 cpuid"
_V82 = f"{_V8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
_V7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"

BOARDS = {
    board.name: board
    for board in (
        Board("pi3", "Raspberry Pi 3 Model B Rev 1.2", "cortex-a53", 0xD03, _V8),
        Board("pi4", "Raspberry Pi 4 Model B Rev 1.4", "cortex-a72", 0xD08, _V8),
        Board("pi5", "Raspberry Pi 5 Model B Rev 1.0", "cortex-a76", 0xD0B, _V82),
        Board(
            "pi5-debian13",
            "Raspberry Pi 5 Model B Rev 1.0",
            "cortex-a76",
            0xD0B,
            _V82,
            release="trixie",
        ),
        # QEMU has the newer processors in 64 bit only; Debian's 32-bit packages are built for ARMv7.
        Board(
            "pi2-32bit",
            "Raspberry Pi 2 Model B Rev 1.1",
            "cortex-a7",
            0xC07,
            _V7,
            architecture="armhf",
        ),
    )
}
