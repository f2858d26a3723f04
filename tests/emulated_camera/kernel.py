"""Debian's kernel with the drivers of two cameras that are none, and the emulator that runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from emulated_pi import debian
from emulated_pi.cache import UnavailableError, cached

RELEASE = "bookworm"
_PACKAGES = ("qemu-system-x86", "busybox-static", "linux-image-amd64")
# The machine's own files come to it by 9p; vivid and v4l2loopback are loaded by those who want them.
FIRST = ("virtio_pci", "9pnet_virtio", "9p")
CAMERAS = ("vivid", "v4l2loopback")


def machine_files() -> Path:
    """A folder with `system/` (the emulator), `vmlinuz`, `busybox`, `modules/` and `modules/order`.

    Raises:
        UnavailableError: A program is missing, or apt cannot reach a Debian mirror.
    """
    missing = [name for name in ("make", "gcc") if shutil.which(name) is None]
    if missing:
        raise UnavailableError(f"{' and '.join(missing)} not installed: apt-get install make gcc")
    code = [path.read_text() for path in (Path(__file__), Path(debian.__file__))]
    return cached("camera", [RELEASE, *_PACKAGES, *code], _fill)


def _fill(folder: Path) -> None:
    system = folder / "system"
    apt = debian.Apt("amd64", RELEASE, folder / "apt")
    apt.fetch(*_PACKAGES)
    version = _kernel_version(apt.fetched())
    # v4l2loopback comes as source, to be built for a kernel whose headers are here; gcc is this machine's.
    headers = [f"linux-headers-{version}-amd64", f"linux-headers-{version}-common"]
    apt.fetch_alone(*headers, f"linux-kbuild-{version[:3]}", "v4l2loopback-dkms")
    apt.unpack(system)
    shutil.rmtree(folder / "apt")
    (built_in,) = (system / "lib/modules").iterdir()
    found = {path.stem.replace("-", "_"): path for path in built_in.rglob("*.ko")}
    found["v4l2loopback"] = _build_v4l2loopback(system, f"{version}-amd64")
    _keep_modules(found, folder / "modules")
    shutil.move(system / f"boot/vmlinuz-{version}-amd64", folder / "vmlinuz")
    shutil.move(system / "bin/busybox", folder / "busybox")
    for unneeded in ("lib/modules", "usr/src", "boot", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(system / unneeded, ignore_errors=True)


def _kernel_version(archives: list[Path]) -> str:
    (version,) = {
        found[1]
        for path in archives
        if (found := re.match(r"linux-image-([\d.-]+)-amd64_", path.name))
    }
    return version


def _build_v4l2loopback(system: Path, kernel: str) -> Path:
    headers = system / f"usr/src/linux-headers-{kernel}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{system}/usr/src/"))
    (source,) = (system / "usr/src").glob("v4l2loopback-*")
    command = ["make", "-C", str(headers), f"M={source}", "CC=gcc", "modules"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"v4l2loopback cannot be built:\n{done.stdout}{done.stderr}")
    return source / "v4l2loopback.ko"


def _keep_modules(found: dict[str, Path], folder: Path) -> None:
    """Copy the modules that are wanted and what they need; `order` lists those to be loaded at first."""
    folder.mkdir()
    order: list[str] = []

    def need(name: str) -> None:
        if name in order or name not in found:  # built into the kernel
            return
        content = found[name].read_bytes()
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for other in (depends[1].decode() if depends else "").split(","):
            need(other.replace("-", "_"))
        order.append(name)
        (folder / f"{name}.ko").write_bytes(content)

    for name in (*FIRST, *CAMERAS):
        need(name)
    (folder / "order").write_text("".join(f"{name}\n" for name in order if name not in CAMERAS))


def emulator(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command that begins with QEMU, with its own libraries, and its environment."""
    system = folder / "system"
    libraries = [system / "usr/lib/x86_64-linux-gnu", system / "lib/x86_64-linux-gnu"]
    command = [
        system / "lib64/ld-linux-x86-64.so.2",
        "--library-path", ":".join(map(str, libraries)),
        system / "usr/bin/qemu-system-x86_64",
        "-L", system / "usr/share/qemu", "-L", system / "usr/share/seabios",
    ]  # fmt: skip
    return list(map(str, command)), {**os.environ, "QEMU_MODULE_DIR": str(libraries[0] / "qemu")}
