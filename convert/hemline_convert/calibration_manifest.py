"""`NAME.calibration.json`: which pictures calibrated, each with the hash of what the network took of it.

The card in the files has the manifest's own hash, so that the two can be told to belong together. Its bytes
depend on nothing but the pictures, the recipe and the versions: no date, and no path outside the data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping

from hemline.card import ModelCard
from hemline_convert.calibration import CalibrationSet

MANIFEST_SUFFIX = ".calibration.json"
MANIFEST_FORMAT = 1


def calibration_manifest(
    calibration: CalibrationSet, card: ModelCard, method: str, versions: Mapping[str, str]
) -> bytes:
    """The content of the manifest.

    Args:
        calibration: The pictures.
        card: Of the model; its input says how pictures become tensors.
        method: How ranges are chosen from what the activations do.
        versions: Of what prepares the pictures and quantizes.
    """
    names = [calibration.class_name(target) for target in calibration.targets]
    content = {
        "format": MANIFEST_FORMAT,
        "model": {"name": card.name, "source_sha256": card.source_sha256},
        "data": calibration.data,
        "method": method,
        "input": dataclasses.asdict(card.input),
        "images": len(calibration.tensors),
        "tensors_sha256": calibration.sha256,
        "classes": dict(sorted(Counter(names).items())),
        "versions": dict(versions),
    }
    # Escaped, since file names may hold what is no text; one picture a line, for people.
    pictures = ",\n".join(
        "  " + json.dumps({"source": source, "class": name, "sha256": digest(tensor.tobytes())})
        for source, name, tensor in zip(
            calibration.pictures, names, calibration.tensors, strict=True
        )
    )
    head = json.dumps(content, indent=1).removesuffix("\n}")
    return f'{head},\n "pictures": [\n{pictures}\n ]\n}}\n'.encode()


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
