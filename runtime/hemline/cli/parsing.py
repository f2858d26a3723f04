"""Arguments that several commands take."""

from __future__ import annotations

from hemline.errors import UserError


def parsed_size(text: str) -> tuple[int, int]:
    """Width and height of `640x480`.

    Raises:
        UserError: It is written in another way.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UserError(f"--size is {text!r}", "give width and height, such as 640x480")
    return int(width), int(height)
