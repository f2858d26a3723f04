from __future__ import annotations

import json
import os

import pytest

from hemline.machine import board_name, clock_now, this_machine, throttling_of


def test_the_machine_names_what_runs_models_here():
    machine = this_machine()
    assert machine.board
    assert machine.cores >= 1
    assert {"hemline", "numpy"} <= set(machine.versions)
    json.dumps(machine.to_json())


def test_a_board_names_itself(tmp_path):
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert board_name(str(tmp_path)) == "Raspberry Pi 5 Model B Rev 1.0"


def test_a_machine_without_a_device_tree_is_named_by_its_processor(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert board_name(str(tmp_path)) == "Some CPU @ 2 GHz"


def test_the_clock_tells_governor_and_the_hottest_sensor(tmp_path):
    governor = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    governor.parent.mkdir(parents=True)
    governor.write_text("ondemand\n")
    for number, milli_c in enumerate((48_500, 61_250)):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(f"{milli_c}\n")
    clock = clock_now(str(tmp_path))
    assert (clock.governor, clock.temperature_c) == ("ondemand", 61.25)


def test_what_cannot_be_read_is_left_open(tmp_path):
    clock = clock_now(str(tmp_path))
    assert (clock.governor, clock.temperature_c) == ("", None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("throttled=0x0\n", ()),
        ("throttled=0x1", ("under-voltage",)),
        ("throttled=0x50000", ("under-voltage (earlier)", "throttled (earlier)")),
        ("throttled=0x50005", ("under-voltage", "throttled")),
        ("throttled=0x80008", ("at the soft temperature limit",)),
        ('error=1 error_msg="Command not registered"', ()),
        ("throttled=none", ()),
        ("", ()),
    ],
)
def test_the_bits_of_the_firmware_become_words(answer, words):
    assert throttling_of(answer) == words


def test_the_firmware_is_asked_through_its_own_program(tmp_path, monkeypatch):
    program = tmp_path / "vcgencmd"
    program.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x4\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert clock_now().throttling == ("throttled",)
