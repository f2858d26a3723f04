"""From a frame to the input tensor: the one preprocessing for training, calibration, parity and runtime.

The rule, which must never differ between two places:

1. While the frame is at least twice the target in both directions, halve it with `INTER_AREA`
   (an odd last row or column is left out). A chain of exact halvings averages every source pixel, as
   one `INTER_AREA` step would, in an eighth of the time: OpenCV has a fast path for the factor two.
2. Turn it grey or RGB: after the first halving, since a small picture is converted faster.
3. One last resize to the target: `INTER_AREA` to shrink, `INTER_LINEAR` to enlarge.
4. Fill up with the colour of the border (`pad`), and put a garment on a bright ground on black
   (`light-on-dark`).

A grey frame that already has the size of the input, on a dark ground, passes through unchanged.

The rule `garment` looks for the garment in a colour photo first (`hemline.garment`); the part of the photo
that has it, on black, then takes the place of the frame. Every other frame goes the way of `light-on-dark`.

The first halvings of a JPEG file may be done by its decoder, which scales for next to nothing:
`jpeg_reduction` says how far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hemline._opencv import cv2
from hemline.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemline.card import InputSpec
    from hemline.garment import GarmentFinder

Frame: TypeAlias = "NDArray[np.uint8]"

BRIGHT_BORDER = 127  # a border brighter than the middle of 0–255 counts as a bright ground
GARMENT_SIDE = (
    64  # long side of the picture in which a garment is looked for, and the least of a photo
)


class Preprocessor:
    """Turns frames into input tensors. Keeps its buffers, so use one per thread.

    Args:
        spec: The `input` part of a model card.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._buffers: dict[tuple[int, ...], Frame] = {}
        self._tensor: Frame = np.empty(spec.tensor_shape, np.uint8)
        self._finder: GarmentFinder | None = None
        if spec.foreground == "garment":
            from hemline.garment import GarmentFinder  # most models need none

            self._finder = GarmentFinder()

    def __call__(self, frame_bgr: Frame, picture_wh: tuple[int, int] | None = None) -> Frame:
        """Preprocess one frame.

        Args:
            frame_bgr: uint8, (H, W, 3) in BGR order as OpenCV gives it, or grey as (H, W) or
                (H, W, 1). It is not changed.
            picture_wh: Width and height of the picture before its decoder reduced it; by default
                the frame's own.

        Returns:
            uint8, (1, height, width, channels), 0–255, RGB order if colour. The array is reused by
            the next call: copy it to keep it.

        Raises:
            ImageError: The frame is empty, not uint8, or of another shape.
        """
        frame = _checked(frame_bgr)
        garment = self._garment(frame)
        if garment is not None:
            frame, picture_wh = garment, None
        content_wh = content_size(self.spec, picture_wh or (frame.shape[1], frame.shape[0]))
        if self.spec.resize == "crop":
            frame = _centre(frame, content_wh)
        image = self._shrunk_and_coloured(frame, content_wh)
        return self._placed(image, is_on_black=garment is not None)

    def _garment(self, frame: Frame) -> Frame | None:
        """What the card says to cut out of the frame, or None."""
        if self._finder is None or frame.ndim == 2 or max(frame.shape[:2]) < GARMENT_SIDE:
            return None
        # Halvings alone, which are exact on every machine: a step of a pixel may move the garment's edge.
        while max(frame.shape[:2]) >= 2 * GARMENT_SIDE and min(frame.shape[:2]) >= 2:
            frame = self._halved(frame)
        return self._finder.cut_out(frame)

    def _shrunk_and_coloured(self, image: Frame, content_wh: tuple[int, int]) -> Frame:
        width, height = content_wh
        coloured = False
        while image.shape[1] >= 2 * width and image.shape[0] >= 2 * height:
            image = self._halved(image)
            if not coloured:
                image, coloured = self._coloured(image), True
        if not coloured:
            image = self._coloured(image)
        if image.shape[:2] == (height, width):
            return image
        shrinks = image.shape[1] >= width and image.shape[0] >= height
        return self._resize(image, (width, height), cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def _halved(self, image: Frame) -> Frame:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        return self._resize(image[: 2 * height, : 2 * width], (width, height), cv2.INTER_AREA)

    def _resize(self, image: Frame, size_wh: tuple[int, int], interpolation: int) -> Frame:
        shape = (size_wh[1], size_wh[0], *image.shape[2:])
        return _u8(cv2.resize(image, size_wh, dst=self._buffer(shape), interpolation=interpolation))

    def _coloured(self, image: Frame) -> Frame:
        """Grey as (H, W), or RGB as (H, W, 3)."""
        is_gray = image.ndim == 2
        if self.spec.color == "gray":
            if is_gray:
                return image
            return _u8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, self._buffer(image.shape[:2])))
        code = cv2.COLOR_GRAY2RGB if is_gray else cv2.COLOR_BGR2RGB
        # The key differs from that of a resize of the same size, or the two would share a buffer.
        target = self._buffer((*image.shape[:2], 3, 0))
        return _u8(cv2.cvtColor(image, code, target))

    def _buffer(self, shape: tuple[int, ...]) -> Frame:
        buffer = self._buffers.get(shape)
        if buffer is None:
            if len(self._buffers) > 64:  # pictures of ever new sizes must not pile up
                self._buffers.clear()
            buffer = self._buffers[shape] = np.empty(shape[:3], np.uint8)
        return buffer

    def _placed(self, image: Frame, *, is_on_black: bool) -> Frame:
        """Copy the picture into the middle of the tensor, filled up and inverted as the card says."""
        tensor = self._tensor
        canvas = tensor[0] if image.ndim == 3 else tensor[0, :, :, 0]
        height, width = image.shape[:2]
        fills = (height, width) != canvas.shape[:2]
        turns_dark = self.spec.foreground != "as-is" and not is_on_black
        border = None
        if is_on_black:
            border = np.zeros(image.shape[2:], np.uint8)
        elif fills or turns_dark:
            border = border_median(image)
        if fills:
            assert border is not None
            top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
            canvas[...] = border
            canvas[top : top + height, left : left + width] = image
        else:
            canvas[...] = image
        if border is not None and turns_dark:
            level = int(border.sum()) // border.size
            if level > BRIGHT_BORDER:
                cv2.LUT(canvas, _inversion(level), canvas)
        return tensor


def content_size(spec: InputSpec, picture_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height that a picture itself has inside the input; the rest is filled up."""
    target_w, target_h = spec.size_wh
    if spec.resize != "pad":
        return target_w, target_h
    width, height = picture_wh
    ratio = min(target_w / width, target_h / height)
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def jpeg_reduction(spec: InputSpec, picture_wh: tuple[int, int]) -> int:
    """How far the decoder of a JPEG may scale it down: 1 (not at all), 2, 4 or 8.

    At least twice the size that the picture has inside the input is left, so that an exact average
    follows and the decoder's coarser one cannot be told any more. A decoder that scales by 8 takes
    the mean of each 8×8 block, which the file holds, and skips most of its work (ITU-T T.81, A.3.3).

    Where a garment is looked for, as much is left of that for the picture in which it is looked for.
    """
    width, height = content_size(spec, picture_wh)
    long_side = GARMENT_SIDE if spec.foreground == "garment" else max(width, height)
    reduction = 8
    while reduction > 1 and (
        picture_wh[0] // reduction < 2 * width
        or picture_wh[1] // reduction < 2 * height
        or max(picture_wh) // reduction < 2 * long_side
    ):
        reduction //= 2
    return reduction


def border_median(image: Frame) -> Frame:
    """The median of the outermost pixels, per channel.

    Args:
        image: uint8, (H, W) or (H, W, C).

    Returns:
        uint8, () or (C,): the middle element of the sorted border, the upper one of two.
    """
    edge = np.concatenate((image[0], image[-1], image[1:-1, 0], image[1:-1, -1]))
    edge.sort(axis=0)
    return _u8(edge[len(edge) // 2])


_INVERSIONS: dict[int, Frame] = {}


def _inversion(level: int) -> Frame:
    """The table that maps the brightness `level` and above to 0, and 0 to 255."""
    table = _INVERSIONS.get(level)
    if table is None:
        steps = np.arange(256, dtype=np.int32)
        table = np.clip((level - steps) * 255 // level, 0, 255).astype(np.uint8)
        _INVERSIONS[level] = table
    return table


def _centre(frame: Frame, size_wh: tuple[int, int]) -> Frame:
    """The largest centred part of the frame with the aspect of `size_wh`."""
    height, width = frame.shape[:2]
    ratio = min(width / size_wh[0], height / size_wh[1])
    crop_w = min(width, max(1, round(size_wh[0] * ratio)))
    crop_h = min(height, max(1, round(size_wh[1] * ratio)))
    top, left = (height - crop_h) // 2, (width - crop_w) // 2
    return frame[top : top + crop_h, left : left + crop_w]


def _checked(frame: Any) -> Any:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        got = f"{frame.dtype} array" if isinstance(frame, np.ndarray) else type(frame).__name__
        hint = "give a NumPy array of uint8, (height, width, 3) in BGR order, as cv2.imread does"
        if frame is None:
            hint += "; that gives None where it cannot read: hemline.read_image says why"
        raise ImageError(f"the frame is a {got}", hint)
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[:, :, 0]
    if frame.size == 0 or not (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        raise ImageError(
            f"the frame has shape {frame.shape}",
            "give (height, width, 3) in BGR order, or (height, width) in grey, not empty",
        )
    return frame


def _u8(array: Any) -> Frame:
    """OpenCV's type stubs know only "some array"."""
    checked: Frame = array
    return checked
