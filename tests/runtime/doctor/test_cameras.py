"""Cameras: by the nodes, programs and settings that a Raspberry Pi has, and by real frames of a program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from hemline.doctor import Machine, cameras, examine, ribbon, software


@pytest.fixture
def no_backends(monkeypatch):
    """They are tried elsewhere, and take seconds."""
    monkeypatch.setattr(software, "backends_to_try", lambda _: [])


def video(number: int, name: str) -> dict[str, str]:
    return {f"dev/video{number}": "", f"sys/class/video4linux/video{number}/name": f"{name}\n"}


def test_nodes_of_a_raspberry_pi_that_are_no_camera_are_not_taken_for_one(machine):
    nodes = {
        **video(0, "unicam-image"),  # the ribbon camera's sensor, before the Pi 5
        **video(1, "rp1-cfe-csi2_ch0"),  # and on the Pi 5
        **video(10, "bcm2835-codec-decode"),
        **video(13, "bcm2835-isp-output0"),
        **video(19, "rpi-hevc-dec"),
        **video(20, "pispbe-input"),
        **video(2, "HD Pro Webcam C920"),
    }
    found = {node.path.name: node.kind for node in cameras.nodes(machine(nodes))}
    assert found == {
        "video0": "ribbon", "video1": "ribbon", "video2": "camera", "video10": "other",
        "video13": "other", "video19": "other", "video20": "other",
    }  # fmt: skip


@pytest.mark.usefixtures("programs", "no_backends")
def test_a_node_that_gives_no_frame_is_a_warning_and_a_failure_where_it_is_needed(machine, about):
    made = machine(video(3, "HD Pro Webcam C920"), timeout_s=60)
    node = str(made.root / "dev/video3")
    report = examine(made)
    (found,) = about(report, "camera")
    assert found.state == "warn"
    assert "HD Pro Webcam C920" in found.what
    assert "gives no frame" in found.what
    assert report
    report = examine(made, [node])
    (found,) = about(report, "camera")  # it is not tried twice at once
    assert found.state == "fail"
    assert not report


@pytest.mark.usefixtures("programs")
def test_a_camera_that_could_not_be_tried_is_not_said_to_be_missing(machine, about, package):
    package("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    (found,) = about(examine(machine(video(0, "HD Pro Webcam C920"), timeout_s=60)), "camera")
    assert found.state == "note"
    assert "HD Pro Webcam C920) was not tried" in found.what


@pytest.mark.usefixtures("programs")
def test_a_node_that_is_in_use_is_told_with_the_program_and_left_alone(machine):
    made = machine(video(0, "HD Pro Webcam C920"))
    (made.root / "proc/device-tree").rename(made.root / "device-tree")
    shutil.rmtree(made.root / "proc")
    (made.root / "proc").symlink_to("/proc")
    program = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(made.root / "dev/video0")]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "open\n"
        (node,) = cameras.nodes(made)
        assert len(node.holders) == 1
        assert f"({process.pid})" in node.holders[0]
        assert cameras.commands([node]) == {}
        (found,) = cameras.findings([node], {})
        assert found.state == "note"
        assert f"kill {process.pid}" in found.mend
        process.stdin.close()


def test_a_report_has_no_password_of_a_camera(hemline):
    address = "http://me:swordfish@127.0.0.1:1/live?key=swordfish"
    for options in ([], ["--json"]):
        done = hemline("doctor", "--camera", address, *options)
        assert done.returncode == 1
        assert "camera http://127.0.0.1:1/live gives no frame" in done.stdout
        assert "swordfish" not in done.stdout + done.stderr


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("path", "why"), [("/etc/passwd", "it is no camera"), ("/etc", "it is a folder")]
)
def test_what_is_no_camera_is_called_that(machine, about, path, why):
    (found,) = about(examine(machine(), [path]), "camera")
    assert found.state == "fail"
    assert why in found.what
    assert "unplug" not in found.mend


@pytest.fixture
def nobody():
    """For a while, a user who may open no file of others; and a folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    yield folder, lambda: os.seteuid(65534) if is_root else None
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_a_camera_that_you_may_not_open_is_told_with_the_group(nobody):
    folder, become_nobody = nobody
    (folder / "dev").mkdir()
    node = folder / "dev/video0"
    node.write_text("")
    node.chmod(0)
    become_nobody()
    (found,) = cameras.findings(cameras.nodes(Machine(folder)), {})
    assert found.state == "warn"
    assert "you may not open" in found.what
    assert f"sudo usermod -aG {node.group()} $USER" in found.mend


SENSOR = """
Available cameras
-----------------
0 : imx219 [3280x2464 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx219@10)
    Modes: 'SRGGB10_CSI2P' : 640x480 [103.33 fps - (1000, 752)/1280x960 crop]
                             3280x2464 [21.19 fps - (0, 0)/3280x2464 crop]
"""
SECOND = """
1 : imx708_wide [4608x2592 10-bit RGGB] (/base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a)
"""


@pytest.mark.parametrize(
    ("listed", "nodes", "state", "said"),
    [
        (f'print({SENSOR!r})', {}, "ok", "--camera picamera"),
        (f'print({SENSOR + SECOND!r})', {}, "ok", "--camera picamera or picamera:1"),
        ("print('No cameras available!')", {}, "note", "no ribbon camera is found"),
        # the sensor answers to the kernel and not to libcamera
        ("print('No cameras available!')", video(0, "unicam-image"), "warn", "shows a sensor"),
        ("print('ERROR: *** failed to start ***', file=sys.stderr); sys.exit(255)", {}, "warn",
         "failed to start"),
    ],
)  # fmt: skip
def test_what_rpicam_hello_lists_is_told(machine, programs, listed, nodes, state, said):
    programs(rpicam_hello=f"assert sys.argv[1:] == ['--list-cameras']\n{listed}", rpicam_vid="")
    made = machine(nodes)
    rans = made.run_all({"list": ribbon.listing_command(made)})
    (found,) = ribbon.findings(made, cameras.nodes(made), rans)
    assert found.state == state, found
    assert said in found.what


@pytest.mark.usefixtures("programs")
def test_a_sensor_without_a_program_that_reads_it_is_told_with_what_to_install(machine):
    made = machine(video(0, "unicam-image"))
    assert ribbon.listing_command(made) is None
    (found,) = ribbon.findings(made, cameras.nodes(made), {})
    assert found.state == "warn"
    assert found.mend == "sudo apt install rpicam-apps-lite"


@pytest.mark.parametrize(
    ("path", "text", "state", "said"),
    [
        ("boot/firmware/config.txt", "start_x=1\ngpu_mem=128\n", "warn", "legacy camera stack"),
        ("boot/config.txt", "# a comment\ncamera_auto_detect=0\n", "note", "camera_auto_detect=0"),
    ],
)
@pytest.mark.usefixtures("programs")
def test_settings_that_hide_a_ribbon_camera_are_told(machine, path, text, state, said):
    (found,) = ribbon.findings(machine({path: text}), [], {})
    assert found.state == state
    assert said in found.what
    assert "sudo reboot" in found.mend
    path = "boot/firmware/config.txt"
    assert list(ribbon.findings(machine({path: "camera_auto_detect=1\n"}), [], {})) == []


@pytest.mark.parametrize(
    ("source", "state", "said"),
    [
        ("class Picamera2:\n    global_camera_info = staticmethod(lambda: [{'Model': 'imx708'}])", "ok",
         "sees imx708"),
        ("raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')", "warn",
         "built for the NumPy of the system"),
        ("import os; os.kill(os.getpid(), 11)", "warn", "crashed with SIGSEGV"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("programs")
def test_picamera2_is_tried_where_it_is_installed(machine, package, source, state, said):
    package("picamera2", source)
    made = machine(timeout_s=60)
    rans = made.run_all({"picamera2": ribbon.picamera2_command()})
    (found,) = ribbon.findings(made, [], rans)
    assert found.state == state
    assert said in found.what


@pytest.mark.usefixtures("programs")
def test_a_picamera2_that_this_environment_does_not_see_is_no_trouble(machine):
    made = machine({"usr/lib/python3/dist-packages/picamera2/__init__.py": ""})
    (found,) = ribbon.findings(made, [], {})
    assert (found.topic, found.state) == ("picamera2", "note")


def of_ribbon(picture: Path) -> str:
    return f"""
picture = open({str(picture)!r}, "rb").read()
while True:
    os.write(1, picture)
    time.sleep(0.02)
"""


@pytest.mark.usefixtures("no_backends")
def test_a_camera_that_is_needed_must_give_frames(machine, programs, about, garments, tmp_path):
    import cv2
    import numpy as np

    made = machine(timeout_s=60)
    programs(rpicam_vid=of_ribbon(garments[0]))
    report = examine(made, ["picamera"])
    (found,) = about(report, "camera")
    assert found.state == "ok", found
    assert "gives frames of" in found.what
    assert report
    black = tmp_path / "black.jpg"
    cv2.imwrite(str(black), np.zeros((48, 64, 3), np.uint8))
    programs(rpicam_vid=of_ribbon(black))
    report = examine(made, ["picamera"])
    (found,) = about(report, "camera")
    assert (found.state, "they are black" in found.what) == ("warn", True)
    assert "64x48" in found.what
    programs(
        rpicam_vid="print('ERROR: *** no cameras available ***', file=sys.stderr); sys.exit(255)"
    )
    report = examine(made, ["picamera"])
    (found,) = about(report, "camera")
    assert found.state == "fail"
    assert "no cameras available" in found.what
    assert not report


@pytest.mark.usefixtures("no_backends")
def test_ribbon_cameras_that_are_listed_are_tried_one_after_the_other(
    machine, programs, about, garments, tmp_path
):
    log = tmp_path / "log"
    frames = f"""
        log = open({str(log)!r}, "a")
        print("begins", file=log, flush=True)
        import signal
        def end(*_):
            print("ends", file=log, flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        if sys.argv[sys.argv.index("--camera") + 1] == "1":
            sys.exit("ERROR: *** failed to acquire camera /base/axi/imx708@1a ***")
    """
    listed = f"print({SENSOR + SECOND!r})"
    programs(rpicam_hello=listed, rpicam_vid=textwrap.dedent(frames) + of_ribbon(garments[0]))
    report = examine(machine(timeout_s=60))
    works, in_use = about(report, "camera")
    assert works.state == "ok", works
    assert "the ribbon camera picamera gives frames of" in works.what
    assert in_use.state == "note", in_use  # somebody uses it, so it does work
    assert "failed to acquire camera" in in_use.what
    assert log.read_text().split()[:2] == ["begins", "ends"]
    assert report


def test_a_camera_that_is_no_name_of_one_is_told(hemline):
    done = hemline("doctor", "--camera", "kitchen")
    assert done.returncode == 1
    assert "is not a camera that hemline knows" in done.stdout
