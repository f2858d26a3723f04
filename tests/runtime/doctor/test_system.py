"""Board, system, memory, clock, power: read from files and programs that a Raspberry Pi has."""

from __future__ import annotations

import pytest

from hemline.doctor import power, system
from hemline.doctor.machine import Ran


def test_a_raspberry_pi_is_named_with_its_processor(machine):
    found = system.board(machine())
    assert found.state == "ok"
    assert found.what == "Raspberry Pi 5 Model B Rev 1.0, 2 × Cortex-A76"


def test_a_board_of_armv6_is_told_what_runs_on_it(machine):
    found = system.board(machine({"proc/cpuinfo": "processor : 0\nCPU part : 0xb76\n"}))
    assert found.state == "warn"
    assert "--backend numpy" in found.mend


def test_a_machine_without_any_of_these_files_is_no_reason_to_fail(tmp_path):
    from hemline.doctor import Machine

    nothing = Machine(tmp_path)
    assert "does not say its name" in system.board(nothing).what
    assert system.system(nothing).state in ("ok", "note")
    assert list(system.memory(nothing)) == []
    assert list(power.temperature(nothing)) == []
    assert list(power.governor(nothing)) == []
    assert list(power.throttling(nothing, None)) == []


@pytest.mark.parametrize(
    ("kernel", "bits", "state", "said"),
    [
        ("aarch64", 64, "ok", "64-bit programs on a 64-bit kernel"),
        # what Raspberry Pi OS of 32 bit has had on a Pi 4 since 2023
        ("aarch64", 32, "note", "32-bit programs on a 64-bit kernel"),
        ("armv7l", 32, "note", "32-bit programs on a 32-bit kernel"),
        ("x86_64", 64, "ok", "64-bit programs on a 64-bit kernel"),
    ],
)
def test_the_bits_of_the_programs_are_told_apart_from_those_of_the_kernel(
    machine, kernel, bits, state, said
):
    found = system.system(machine(kernel=kernel, bits=bits))
    assert found.state == state
    assert said in found.what
    assert "Raspberry Pi OS on Debian GNU/Linux 12" in found.what
    assert ("64-bit Raspberry Pi OS" in found.mend) == (bits == 32)


def test_little_memory_is_a_warning(machine):
    little = "MemTotal: 430000 kB\nMemAvailable: 60000 kB\nSwapTotal: 0 kB\n"
    (found,) = system.memory(machine({"proc/meminfo": little}))
    assert (found.state, found.facts["available_kb"]) == ("warn", 60000)
    (found,) = system.memory(machine())
    assert found.state == "ok"


def test_a_disk_that_is_nearly_full_is_a_warning(small_disk, tmp_path):
    assert system.space(small_disk).state == "warn"
    assert system.space(tmp_path).facts["free_bytes"] > 0


@pytest.mark.parametrize(
    ("now_s", "asked", "state"),
    [
        (None, None, "ok"),
        (1.0e9, None, "warn"),  # 2001: a board without a battery, before it has asked the network
        (None, Ran(0, "no\n", ""), "warn"),
        (None, Ran(0, "yes\n", ""), "ok"),
        (None, Ran(1, "", "Failed to connect to bus"), "ok"),  # nobody can be asked
    ],
)
def test_a_clock_that_cannot_be_right_is_told_since_tls_fails(machine, now_s, asked, state):
    found = system.clock(machine(now_s=now_s), asked)
    assert found.state == state
    assert ("TLS" in found.what) == (state == "warn")


@pytest.mark.parametrize(
    ("bits", "state", "said", "mend"),
    [
        ("0x0", "ok", "not throttled", ""),
        ("0x1", "warn", "the voltage is too low", "power supply"),
        ("0x50000", "warn", "since the start: the voltage was too low, the processor was throttled",
         "power supply"),
        ("0x50005", "warn", "the voltage is too low, the processor is throttled (0x50005)",
         "power supply"),
        ("0x80008", "warn", "the soft temperature limit is active", "heat sink"),
        ("0xe0000", "warn", "the soft temperature limit was active", "heat sink"),
        ("0x20002", "warn", "frequency is capped", "heat sink"),
    ],
)  # fmt: skip
def test_the_bits_of_get_throttled_are_told_in_words(machine, programs, bits, state, said, mend):
    programs(vcgencmd=f"assert sys.argv[1:] == ['get_throttled']; print('throttled={bits}')")
    board = machine()
    ran = board.run_all({"throttling": power.throttling_command(board)})["throttling"]
    (found,) = power.throttling(board, ran)
    assert found.state == state
    assert said in found.what
    assert mend in found.mend


def test_a_vcgencmd_that_may_not_ask_is_told_with_the_group(machine, programs):
    programs(vcgencmd="print('VCHI initialization failed', file=sys.stderr); sys.exit(255)")
    board = machine()
    ran = board.run_all({"throttling": power.throttling_command(board)})["throttling"]
    (found,) = power.throttling(board, ran)
    assert found.state == "note"
    assert "VCHI initialization failed" in found.what
    assert "usermod -aG video" in found.mend


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "note"),
        ({"sys/class/hwmon/hwmon1/name": "rpi_volt",
          "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1"}, "warn"),
        ({"sys/class/hwmon/hwmon1/name": "rpi_volt",
          "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0"}, "ok"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("programs")
def test_without_vcgencmd_the_kernel_is_asked_for_the_voltage(machine, files, state):
    board = machine(files)
    assert power.throttling_command(board) is None
    (found,) = power.throttling(board, None)
    assert found.state == state


@pytest.mark.parametrize(("degrees", "state"), [(51, "ok"), (74, "note"), (81, "warn")])
def test_heat_is_told_before_and_when_the_board_slows_down(machine, degrees, state):
    files = {
        "sys/class/thermal/thermal_zone0/temp": "30000",
        "sys/class/thermal/thermal_zone1/temp": f"{degrees}000\n",
    }
    (found,) = power.temperature(machine(files))
    assert (found.state, found.facts["celsius"]) == (state, degrees)


@pytest.mark.parametrize(("name", "state"), [("ondemand", "ok"), ("powersave", "warn")])
def test_a_governor_that_keeps_the_processor_slow_is_told(machine, name, state):
    path = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    (found,) = power.governor(machine({path: f"{name}\n"}))
    assert found.state == state
