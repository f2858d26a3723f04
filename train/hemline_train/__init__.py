"""hemline_train: trains the networks, and writes run folders with all that belongs to a model.

    from hemline_train import TrainingConfig, train

    result = train(TrainingConfig.recommended("optimized", data="fashion-mnist", seed=1))
    print(result.model_path)

Importing this package imports neither TensorFlow nor matplotlib; each name is loaded when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hemline_train.config import TrainingConfig
    from hemline_train.outcome import TrainingResult
    from hemline_train.qat_config import QatConfig
    from hemline_train.training import TrainingInterrupted, assist, resume, train

_HOMES = {
    "QatConfig": "qat_config",
    "TrainingConfig": "config",
    "TrainingInterrupted": "training",
    "TrainingResult": "outcome",
    "assist": "training",
    "resume": "training",
    "train": "training",
}

__all__ = [
    "QatConfig",
    "TrainingConfig",
    "TrainingInterrupted",
    "TrainingResult",
    "assist",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"hemline_train.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hemline_train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
