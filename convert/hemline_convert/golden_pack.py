"""The pictures that parity is measured on, with the float model's logits."""

from __future__ import annotations

import numpy as np

from hemline.datasets import Dataset
from hemline.errors import ModelError
from hemline.parity.golden import GoldenPack
from hemline_convert.calibration import balanced
from hemline_convert.float_tflite import keras_logits
from hemline_convert.keras_source import KerasSource


def make_golden_pack(
    source: KerasSource, dataset: Dataset | None, count: int
) -> tuple[GoldenPack | None, list[str]]:
    """The golden pack, if there is data for one, and what the user should know of it.

    Args:
        source: The float model, whose logits the pack holds.
        dataset: Its test split, else its validation split, gives the pictures.
        count: How many at most.

    Raises:
        ModelError: The float model gives no numbers.
    """
    if dataset is None:
        return None, [
            "no golden pack was written, since no data is given (--data): parity cannot be checked"
        ]
    split = dataset.evaluation_split()
    indices = balanced(split.targets, count)
    tensors = split.tensors(source.card.input, indices, description="golden pack")
    scores = keras_logits(source, tensors)
    wrong = int((~np.isfinite(scores)).any(axis=1).sum())
    if wrong:
        raise ModelError(
            f"the float model gives scores that are NaN or infinite for {wrong} of {len(scores)} pictures",
            "its weights are broken, or far too large: train it again",
        )
    pack = GoldenPack.build(split, indices, source.card, scores, tensors)
    notes = []
    if dataset.name != "drawn":  # those the project made itself, and anybody may have them
        notes.append(
            f"the golden pack holds {len(pack)} pictures of {dataset.name}/{split.name}, and the report "
            "shows those that flipped: mind whose they are before you publish them"
        )
    if len(pack) < len(indices):
        notes.append(
            f"the golden pack is full with {len(pack)} of {len(indices)} pictures (64 MiB)"
        )
    return pack, notes
