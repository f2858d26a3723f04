"""What hemline does with one damaged file, by every way in which it opens one."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.cli import main
from hemline.errors import UserError
from hemline.inspection.report import ALTERED, MATCHES
from hemline.modelfile import load_model
from hemline.parity.golden import GoldenPack

BACKENDS = {"tflite": ("litert", "numpy"), "onnx": ("onnxruntime",), "keras": ("keras",)}
REFUSED, ACCEPTED = "refused", "accepted"
SHOWN_AS_ALTERED, SHOWN_WITHOUT_CHECKSUM = "shown as altered", "shown as without checksum"
OTHER_ANSWERS = "accepted with other answers"
_PICTURES = 3


class Examiner:
    """Opens damaged copies of one sound file.

    Args:
        path: The sound file.
        pack: Golden pack whose pictures it is run on.
        stated: What is stated for a file without a card. Such a file has no checksum, so that any answer is
            right, as long as there is one.
    """

    def __init__(self, path: Path, pack: Path, stated: ModelCard | None) -> None:
        self._pack, self._stated = pack, stated
        self._suffix = path.suffix[1:]
        self._tensors = GoldenPack.load(pack).tensors[:_PICTURES]
        self._expected: dict[str, NDArray[np.float32]] = {}
        for name in BACKENDS[self._suffix]:
            with contextlib.suppress(UserError):  # the NumPy interpreter does not run every kind
                self._expected[name] = self._logits(path, name)
        if not self._expected:
            raise AssertionError(f"nothing runs {path}")

    def __call__(self, path: Path) -> Iterator[tuple[str, str]]:
        """The way, and what came of it."""
        for name in BACKENDS[self._suffix]:
            try:
                logits = self._logits(path, name)
            except UserError:
                yield name, REFUSED
                continue
            same = name in self._expected and np.array_equal(logits, self._expected[name])
            yield name, ACCEPTED if same or self._stated else OTHER_ANSWERS
        yield "inspect", _inspected(path)
        if self._suffix == "keras":
            out = path.with_suffix("")
            yield "convert", _verdict("convert", path, "--float32", "--out", out)
            shutil.rmtree(out, ignore_errors=True)
        elif self._stated is None:
            yield "parity", _verdict("parity", path, "--golden", self._pack, "--limit", 3)

    def _logits(self, path: Path, backend: str) -> NDArray[np.float32]:
        model = load_model(path, backend=backend, card=self._stated)
        return np.array([model.backend.logits(tensor[None]) for tensor in self._tensors])


def _verdict(*command: object) -> str:
    code, _ = _run(*command)
    return {0: ACCEPTED, 1: OTHER_ANSWERS, 2: REFUSED}[code]


def _inspected(path: Path) -> str:
    _run("inspect", path)
    code, output = _run("inspect", "--json", path)
    if code == 2:
        return REFUSED
    status = json.loads(output)["integrity"]["status"]
    return {MATCHES: ACCEPTED, ALTERED: SHOWN_AS_ALTERED}.get(status, SHOWN_WITHOUT_CHECKSUM)


def _run(*command: object) -> tuple[int, str]:
    """The real command line in this process; an exception that is no `UserError` goes through it."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main([str(word) for word in command])
    if code == 2 and not errors.getvalue().startswith("hemline: error: "):
        raise AssertionError(f"refused without words: {errors.getvalue()}")
    return code, output.getvalue()
