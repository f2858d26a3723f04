"""hemline: run a small image classifier at the edge, and check that it is still the same model.

    from hemline import Classifier

    classifier = Classifier("paper")
    print(classifier.classify(frame_bgr).label)

Importing this package imports nothing heavy; each name is loaded when it is first used.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # `typing` would take 4 ms before signals are answered, see `hemline.start`
if TYPE_CHECKING:
    from typing import Any

    from hemline.card import InputSpec, ModelCard, Normalization
    from hemline.classifier import Classification, Classifier
    from hemline.errors import (
        CardError,
        DataError,
        DeviceError,
        ImageError,
        ModelError,
        UserError,
    )
    from hemline.images import read_image
    from hemline.preprocess import Preprocessor

_HOMES = {
    "CardError": "errors",
    "Classification": "classifier",
    "Classifier": "classifier",
    "DataError": "errors",
    "DeviceError": "errors",
    "ImageError": "errors",
    "InputSpec": "card",
    "ModelCard": "card",
    "ModelError": "errors",
    "Normalization": "card",
    "Preprocessor": "preprocess",
    "UserError": "errors",
    "read_image": "images",
}

__all__ = [
    "CardError",
    "Classification",
    "Classifier",
    "DataError",
    "DeviceError",
    "ImageError",
    "InputSpec",
    "ModelCard",
    "ModelError",
    "Normalization",
    "Preprocessor",
    "UserError",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"hemline.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hemline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
