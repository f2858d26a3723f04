"""Before several processes train together: who writes, and whether all are about to do the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from hemline.errors import UserError
from hemline_train.cluster import VARIABLE, cluster_from_environment
from hemline_train.config import Settings
from hemline_train.distribution import Crew, connect, must_agree
from hemline_train.images import TrainingImages
from hemline_train.layer_kernels import require_bfloat16
from hemline_train.qat_config import QatConfig


def join(config: Settings, *, writes: bool) -> Crew:
    """Those who train together; waits for all of them.

    Args:
        config: Settings of the run.
        writes: Whether this process writes the run.

    Raises:
        UserError: They cannot be joined, or another process is to write; or this processor cannot do what
            the settings say.
    """
    cluster = cluster_from_environment()
    if config.in_bfloat16:
        require_bfloat16()
        if cluster:
            raise UserError(
                f"--bfloat16 is for one process, and {VARIABLE} names several",
                f"leave it out, or unset {VARIABLE}",
            )
    if cluster and isinstance(config, QatConfig):
        raise UserError(
            f"quantization-aware training is for one process, and {VARIABLE} names several",
            f"unset {VARIABLE}; it takes a few epochs only",
        )
    number = cluster.number if cluster else 0
    if writes != (number == 0):
        raise UserError(
            f"this process is number {number} of {VARIABLE}, and the first alone writes the run",
            "there call hemline_train.train or resume, in the others hemline_train.assist; the "
            "command line does so by itself",
        )
    return connect()


def must_train_the_same(crew: Crew, config: Settings, images: TrainingImages) -> None:
    """Make sure that all processes have the same settings but for paths, images, and teachers.

    Raises:
        UserError: They have not, in every process.
    """
    if crew.size == 1:
        return
    settings = dataclasses.asdict(config)
    teachers = [Path(path).read_bytes() for path in settings.pop("teachers", ())]
    for name in (
        "out",
        "data",
        "nothing",
    ):  # what was read from there is in the digest of the images
        settings.pop(name, None)
    text = json.dumps(settings, sort_keys=True, default=str) + images.sha256
    digest = hashlib.sha256(text.encode())
    for content in teachers:
        digest.update(content)
    must_agree(crew, digest.digest())
