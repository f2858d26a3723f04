"""The one exception that stands for "you asked for something I can explain"."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can mend; the command line prints it in a line or two, without traceback.

    Anything that is not a `UserError` is a bug in hemline and keeps its traceback.

    Args:
        problem: What is wrong, and what was got.
        hint: What is allowed, and what to do next. May be empty.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\n  {self.hint}" if self.hint else self.problem


class CardError(UserError):
    """A model card is missing, damaged, or does not fit its model."""


class ModelError(UserError):
    """A file is no model that can be run here."""


class ImageError(UserError):
    """A picture cannot be read, or is refused."""


class DataError(UserError):
    """A data set is missing, damaged, or not laid out as expected."""


class DeviceError(UserError):
    """A camera or stream gives no frames."""
