"""`--show`: a window where there can be one, else the one error that says how to get it."""

from __future__ import annotations

import os

import pytest

from hemline._opencv import cv2

HAS_WINDOWS = "GUI:                           NONE" not in cv2.getBuildInformation()


def test_without_windows_in_opencv_the_error_names_the_command_that_mends_it(hemline, picture):
    if HAS_WINDOWS:
        pytest.skip("this OpenCV has windows")
    done = hemline("classify", picture, "--show", env={**os.environ, "DISPLAY": ":0"})
    assert done.returncode == 2
    assert "-m pip uninstall -y opencv-python-headless" in done.stderr
    assert "-m pip install opencv-python" in done.stderr
    assert "--serve" in done.stderr
    assert "Traceback" not in done.stderr
