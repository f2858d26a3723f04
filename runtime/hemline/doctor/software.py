"""Python and its packages: what is installed, and whether it runs the shipped model."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemline.doctor.finding import Finding
from hemline.doctor.machine import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.doctor.machine import Ran

_PROBE = "hemline.doctor.probe"
_OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# They load TensorFlow, which takes longer than all else that is looked at.
_TOO_SLOW_TO_TRY = ("tensorflow", "keras")


def probe(kind: str, *arguments: str) -> list[str]:
    """The command that tries one thing in a process of its own."""
    return python("-m", _PROBE, kind, *arguments)


def answer(ran: Ran) -> dict[str, Any]:
    """What a probe found; with an `error` where it failed, crashed or did not answer."""
    if ran.code != 0:
        return {"error": ran.ending if ran.code is None or ran.code < 0 else ran.last_words}
    found: dict[str, Any] = json.loads(ran.out.splitlines()[-1])
    return found


def interpreter() -> Finding:
    """Python, and whether it is that of a virtual environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    in_venv = sys.prefix != sys.base_prefix
    sees_system = in_venv and _sees_system(Path(sys.prefix) / "pyvenv.cfg")
    place = (
        f"virtual environment {sys.prefix}" if in_venv else f"no virtual environment ({sys.prefix})"
    )
    if in_venv:
        place += ", with" if sees_system else ", without"
        place += " the system's packages"
    facts = {"version": version, "venv": in_venv, "system_site_packages": sees_system}
    return Finding("python", "ok", f"Python {version}, {place}", facts=facts)


def _sees_system(configuration: Path) -> bool:
    try:
        text = configuration.read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"include-system-site-packages\s*=\s*true", text, re.IGNORECASE) is not None


def packages(found: dict[str, Any]) -> Iterator[Finding]:
    """NumPy and OpenCV, which everything needs, by what the probe `base` found."""
    installed = [name for name in _OPENCVS if _version(name)]
    if "error" in found:
        mend = "pip install --force-reinstall numpy opencv-python-headless"
        if "libGL" in found["error"] or "libX" in found["error"]:
            mend = (
                "pip uninstall opencv-python; pip install --force-reinstall opencv-python-headless"
            )
        what = f"NumPy and OpenCV cannot be used: {found['error']}"
        yield Finding("packages", "fail", what, mend, found)
        return
    able = [name for name, has in (("FFmpeg", found["ffmpeg"]), ("V4L2", found["v4l2"])) if has]
    lacks = [name for name in ("FFmpeg", "V4L2") if name not in able]
    able += [f"windows ({found['gui']})"] if found["gui"] != "NONE" else []
    what = f"NumPy {found['numpy']}, OpenCV {found['opencv']} with {', '.join(able) or 'no extras'}"
    if found["gui"] == "NONE":
        what += ", without windows"
    if lacks:
        uses = {"FFmpeg": "videos and RTSP", "V4L2": "USB cameras"}
        what += f"; without {', '.join(lacks)}: no {' and no '.join(uses[name] for name in lacks)}"
        mend = "pip install --force-reinstall opencv-python-headless"
        yield Finding("packages", "warn", what, mend, found)
    else:
        yield Finding("packages", "ok", what, facts=found)
    if len(installed) > 1:
        mend = f"pip uninstall {' '.join(installed)}; pip install opencv-python-headless"
        what = f"{' and '.join(installed)} write to the same folder, and one has spoilt the other"
        yield Finding("packages", "warn", what, mend)


def backends_to_try(found: dict[str, Any]) -> list[str]:
    """Those that are installed and quick to load, in the order of choice; by the probe `base`."""
    return [name for name in found.get("backends", []) if name not in _TOO_SLOW_TO_TRY]


def backend_findings(base: dict[str, Any], rans: dict[str, Ran]) -> Iterator[Finding]:
    """Whether each backend names the sample pictures rightly.

    The first of them is the one that `hemline classify` takes, so it must; the others are a choice.

    Args:
        base: What the probe `base` found.
        rans: What came of the probe of each backend.
    """
    for number, (name, ran) in enumerate(rans.items()):
        found = answer(ran)
        bad: Any = "fail" if number == 0 else "warn"
        if "error" in found:
            what = f"{name} does not run the shipped model: {found['error']}"
            yield Finding(name, bad, what, _mend_of_backend(name, ran, found), found)
        elif found["wrong"]:
            what = f"{name} {found['version']} names pictures wrongly: {', '.join(found['wrong'])}"
            mend = f"pip install --force-reinstall hemline {_package(name)}; then: hemline parity paper"
            yield Finding(name, bad, what, mend, found)
        else:
            what = (
                f"{name} {found['version']} names all {found['pictures']} sample pictures rightly, "
                f"loaded in {found['loaded_s']:.2f} s"
            )
            yield Finding(name, "ok", what, facts=found)
    for name in base.get("backends", []):
        if name in _TOO_SLOW_TO_TRY:
            what = f"{name} is installed, and not tried, since it takes long to load"
            mend = f"try it: hemline parity paper --backend {name}" if name == "tensorflow" else ""
            yield Finding(name, "note", what, mend)
    if list(rans) == ["numpy"]:
        mend = "64 bit: pip install ai-edge-litert; 32 bit with Python 3.11: pip install tflite-runtime"
        yield Finding("backends", "warn", "only the slow interpreter in NumPy is there", mend)


def _mend_of_backend(name: str, ran: Ran, found: dict[str, Any]) -> str:
    if ran.code is None:
        return "try it with more time: hemline doctor --timeout 60"
    others = "take another meanwhile: hemline classify PICTURE --backend numpy"
    if ran.code < 0:
        return (
            f"its build does not suit this processor or system; another version may: "
            f"pip install --upgrade --force-reinstall {_package(name)}; {others}"
        )
    if re.search(r"numpy\.core|NumPy 1\.x|numpy\.dtype|_ARRAY_API", found["error"] + ran.said):
        return (
            "it was built for an older NumPy: pip install 'numpy<2' 'opencv-python-headless<4.12'"
        )
    return found.get("hint") or f"pip install --force-reinstall {_package(name)}; {others}"


def _package(name: str) -> str:
    return "ai-edge-litert" if name == "litert" else name


def extras() -> Iterator[Finding]:
    """Which optional parts are installed, by what the distribution says that they need."""
    needs: dict[str, set[str]] = {}
    try:
        requirements = metadata.requires("hemline") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        package = re.match(r"[\w.-]+", requirement)
        if extra and package:
            needs.setdefault(extra[1], set()).add(package[0])
    there = {name: all(_version(package) for package in needed) for name, needed in needs.items()}
    have = sorted(name for name, is_there in there.items() if is_there)
    lack = sorted(name for name, is_there in there.items() if not is_there)
    what = f"installed: {', '.join(have) or 'none'}"
    what += f"; not installed: {', '.join(lack)}" if lack else ""
    mend = "where you need one: pip install 'hemline[NAME]'" if lack else ""
    yield Finding("extras", "ok" if have or not lack else "note", what, mend, {"extras": there})


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
