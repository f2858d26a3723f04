from __future__ import annotations

import json
import os

from hemline.bench.where import Conditions, conditions_now, where_measured
from hemline.doctor.machine import Machine


def test_the_machine_names_what_runs_models_here():
    where = where_measured()
    assert where.board
    assert where.cores >= 1
    assert {"hemline", "numpy"} <= set(where.versions)
    json.dumps(where.to_json())


def test_a_board_is_named_with_its_processor(tmp_path):
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert where_measured(Machine(tmp_path)).board.startswith("Raspberry Pi 5 Model B Rev 1.0, ")


def test_a_board_tells_governor_heat_and_throttling(tmp_path, monkeypatch):
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B\0",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/class/thermal/thermal_zone0/temp": "48500\n",
        "sys/class/thermal/thermal_zone1/temp": "61250\n",
    }
    for name, content in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    program = tmp_path / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50004\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    conditions = conditions_now(Machine(tmp_path / "root"))
    assert (conditions.governors, conditions.temperature_c) == (("ondemand",), 61.25)
    assert conditions.throttling == ("the processor is throttled", "the voltage was too low")
    assert Conditions.from_json(json.loads(json.dumps(conditions.to_json()))) == conditions


def test_what_cannot_be_read_is_left_open(tmp_path):
    conditions = conditions_now(Machine(tmp_path))
    assert (conditions.governors, conditions.temperature_c, conditions.throttling) == ((), None, ())
