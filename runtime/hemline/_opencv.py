"""The one place that imports OpenCV first: it reads these settings while it is loaded, or soon after."""

from __future__ import annotations

import os

# The largest picture that this process will accept.
MAX_MEGAPIXELS = 200
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_MEGAPIXELS * 1_000_000))
# A broken picture or video is told in our own words; OpenCV's and FFmpeg's would come on top.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# A camera that opens and gives nothing is told within seconds; OpenCV would wait for ten.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "4")

import cv2  # noqa: E402

__all__ = ["MAX_MEGAPIXELS", "cv2"]
