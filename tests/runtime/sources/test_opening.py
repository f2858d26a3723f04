from __future__ import annotations

import pytest

from hemline.errors import DeviceError, UserError
from hemline.sources import frames_of_camera, open_camera


@pytest.mark.parametrize(
    ("camera", "error", "said"),
    [
        ("97", DeviceError, "there is no camera /dev/video97"),
        ("/dev/video98", DeviceError, "there is no camera /dev/video98"),
        ("/dev/null", DeviceError, "cannot be opened: it is no camera"),
        ("http://127.0.0.1:9/", DeviceError, "cannot be opened as a video"),  # nobody listens
        ("front door", UserError, "is not a camera that hemline knows"),
    ],
)
def test_a_camera_that_is_not_there_is_told_with_a_hint(camera, error, said):
    with pytest.raises(error) as caught:
        next(frames_of_camera(camera))
    assert said in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize(
    ("camera", "asked", "said"),
    [
        ("0", {"size_wh": (0, 480)}, "the size of frames is 0x480"),
        ("0", {"size_wh": (640, 100_000)}, "the size of frames is 640x100000"),
        ("0", {"fps": 0}, "the frame rate is 0"),
        ("0", {"fps": float("nan")}, "the frame rate is nan"),
        ("0", {"reopen_s": -1}, "must not be negative"),
        ("http://127.0.0.1:9/", {"fps": 5}, "cannot be asked for 5 frames/s"),  # the sender decides
        ("picamera:x", {}, "is not a camera that hemline knows"),
    ],
)  # fmt: skip
def test_what_no_camera_can_give_is_refused_before_it_is_opened(camera, asked, said):
    with pytest.raises(UserError) as caught:
        open_camera(camera, **asked)
    assert said in str(caught.value)
