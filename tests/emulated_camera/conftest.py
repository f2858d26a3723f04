"""The emulated machine runs once; the tests look at what came of it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from emulated_camera.machine import run

SWITCH = "HEMLINE_EMULATED_CAMERA"
_TIMEOUT_S = 900


@pytest.fixture(scope="session")
def results(garments: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `scenarios.py` found, by the name of the scenario."""
    if not os.environ.get(SWITCH):
        pytest.skip(f"the emulated camera takes minutes: set {SWITCH}=1")
    out = tmp_path_factory.mktemp("camera")
    bag = next(path for path in garments if path.stem == "bag")
    command = [
        sys.executable,
        str(Path(__file__).with_name("scenarios.py")),
        str(bag),
        "/mnt/results.json",
    ]
    environment = "export HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1"
    said = run(f"{environment}\n{shlex.join(command)}\n", out, _TIMEOUT_S)
    path = out / "results.json"
    assert "the program ended with 0" in said, said
    found: dict[str, Any] = json.loads(path.read_text())
    return found
