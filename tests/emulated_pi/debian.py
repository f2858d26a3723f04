"""Packages of Debian for any architecture, fetched and unpacked; nothing of this system is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulated_pi.cache import UnavailableError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Apt:
    """An apt of its own: another architecture and release, and no package installed.

    Args:
        architecture: As Debian calls it.
        release: As Debian calls it.
        state: An empty folder for its files; whoever made it removes it.

    Raises:
        UnavailableError: apt is not here or cannot reach a Debian mirror.
    """

    def __init__(self, architecture: str, release: str, state: Path) -> None:
        self._environment = _private_apt(architecture, release, state)
        self._archives = state / "archives"
        self._run(["apt-get", "update", "-q"])

    def fetch(self, *packages: str) -> None:
        """Fetch packages and all that they need."""
        install = ["apt-get", "install", "-q", "-y", "--download-only", "--no-install-recommends"]
        self._run([*install, *packages])

    def fetch_alone(self, *packages: str) -> None:
        """Fetch packages without what they need."""
        self._run(["apt-get", "download", "-q", *packages])

    def fetched(self) -> list[Path]:
        """The packages, as files."""
        return sorted(self._archives.glob("*.deb"))

    def unpack(self, root: Path) -> None:
        """Unpack all that was fetched."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            unpacked = [
                pool.submit(self._run, ["dpkg", "-x", str(archive), str(root)])
                for archive in self.fetched()
            ]
            for task in unpacked:
                task.result()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._archives,
            check=False,
        )
        if done.returncode == 0:
            return
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        problem = f"{' '.join(command[:2])} failed with {done.returncode}: {said}"
        raise UnavailableError(problem) if command[0] == "apt-get" else RuntimeError(problem)


def _private_apt(architecture: str, release: str, state: Path) -> dict[str, str]:
    for folder in ("lists/partial", "archives/partial", "parts"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    source = f"deb [signed-by={_keyring()}] {_mirror()} {release} main\n"
    (state / "sources.list").write_text(source)
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",  # the files of this apt belong to whoever runs the tests
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": state / "parts",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Acquire::Retries": 3,
    }
    configuration = state / "apt.conf"
    configuration.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    return {**os.environ, "APT_CONFIG": str(configuration), "DEBIAN_FRONTEND": "noninteractive"}


def _mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    if named := os.environ.get("HEMLINE_DEBIAN_MIRROR"):
        return named
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError("apt-get and dpkg are not here; they fetch and unpack the packages")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    mirrors = [address for address in listed if address.rstrip("/").endswith("/debian")]
    if not mirrors:
        raise UnavailableError("apt knows no Debian mirror: name one in HEMLINE_DEBIAN_MIRROR")
    return mirrors[0]


def _keyring() -> Path:
    if not _KEYRING.is_file():
        raise UnavailableError(f"{_KEYRING} is not here: apt-get install debian-archive-keyring")
    return _KEYRING
