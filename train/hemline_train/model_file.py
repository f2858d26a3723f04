"""The `.keras` file: the network with its card inside, the same bytes for the same network."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from hemline import atomic
from hemline.card import ModelCard
from hemline.integrity import network_sha256
from hemline.zipcard import CARD_MEMBER
from hemline_train._tensorflow import keras

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_METADATA_MEMBER = "metadata.json"
_CONFIG_MEMBER = "config.json"


def save_model(path: Path, model: Any, card: ModelCard) -> None:
    """Write the network and its card, and make sure that Keras reads the same network back.

    Args:
        path: Ends in `.keras`.
        model: A Keras model that is not compiled.
        card: Embedded as the zip member `hemline.zipcard.CARD_MEMBER`, with the network's checksum.

    Raises:
        UserError: The file cannot be written; an existing one is unchanged.
        RuntimeError: What was written does not load as the same network.
    """
    with atomic.replacing(path) as temporary:
        model.save(temporary)
        _rewrite(temporary, card)
        _verify(temporary, model)


def _rewrite(path: Path, card: ModelCard) -> None:
    """Add the card, and take out dates and memory addresses, which differ from run to run."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members[_METADATA_MEMBER])
    metadata["date_saved"] = "1980-01-01@00:00:00"
    members[_METADATA_MEMBER] = json.dumps(metadata).encode()
    config = _renumbered(json.loads(members[_CONFIG_MEMBER]), {})
    members[_CONFIG_MEMBER] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_DATE), content)
    card = card.replace(network_sha256=network_sha256(str(path), path.read_bytes()))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(CARD_MEMBER, _FIXED_DATE), card.to_json())


def _renumbered(node: Any, numbers: dict[int, int]) -> Any:
    """Number shared objects in order; Keras takes the address of each. Equal ones stay equal."""
    if isinstance(node, list):
        return [_renumbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers) + 1)
        if key == "shared_object_id"
        else _renumbered(value, numbers)
        for key, value in node.items()
    }


def _verify(path: Path, model: Any) -> None:
    loaded = keras.saving.load_model(path, compile=False)
    pairs = zip(model.get_weights(), loaded.get_weights(), strict=True)
    if loaded.to_json() != model.to_json() or not all(
        np.array_equal(before, after) for before, after in pairs
    ):
        raise RuntimeError(f"Keras does not read back from {path} what it wrote")
