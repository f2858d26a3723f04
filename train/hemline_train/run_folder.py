"""The folder of a run: counted up, never overwritten, and resumable at any moment."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from hemline import __version__, atomic
from hemline.errors import UserError
from hemline_train.architecture_file import Architecture
from hemline_train.config import ARGUMENTS, Settings, TrainingConfig
from hemline_train.fit_state import Arrays, EpochLog, FitState
from hemline_train.qat_config import QatConfig

ARGUMENTS_FORMAT = 1
_VERSIONS = "versions.json"
_STATE_ARRAYS = ("weights", "optimizer", "best_weights", "averaged")  # fields of `FitState`
_PACKAGES = {"tensorflow": "tensorflow", "keras": "keras", "numpy": "numpy", "opencv": "cv2"}


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths in the folder of a run, and what is kept there between epochs."""

    path: Path

    @property
    def model(self) -> Path:
        """The trained network; it exists only when the run is finished."""
        return self.path / "model.keras"

    @property
    def source(self) -> Path:
        """A copy of the model that quantization-aware training began with."""
        return self.path / "source.keras"

    @property
    def arguments(self) -> Path:
        """The settings, and the fingerprint of the data."""
        return self.path / ARGUMENTS

    @property
    def checkpoint(self) -> Path:
        """The state after the last epoch; it is there while the run is not finished."""
        return self.path / "checkpoint" / "state.npz"

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.model.exists() and not self.checkpoint.exists()

    def write_json(self, name: str, content: Any) -> None:
        """Write a file of the run."""
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        atomic.write_text(self.path / name, text)

    def save_progress(self, state: FitState) -> None:
        """Write the checkpoint, then the log. A kill meanwhile leaves the previous checkpoint."""
        with atomic.replacing(self.checkpoint) as temporary:
            log = json.dumps([dataclasses.astuple(row) for row in state.log])
            np.savez(temporary, log=log, **_named_arrays(state))
        self.write_log(state.log)

    def write_log(self, log: tuple[EpochLog, ...]) -> None:
        """Write `log.csv`, one line per epoch."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(field.name for field in dataclasses.fields(EpochLog))
        for row in log:
            epoch, *figures, seconds = dataclasses.astuple(row)
            cells = ("" if figure is None else f"{figure:.6f}" for figure in figures)
            writer.writerow([epoch, *cells, f"{seconds:.2f}"])
        atomic.write_text(self.path / "log.csv", text.getvalue())

    def load_progress(self) -> FitState | None:
        """The state of the checkpoint, or None when the run was stopped before its first one.

        Raises:
            UserError: The checkpoint cannot be read.
        """
        if not self.checkpoint.exists():
            return None
        try:
            with np.load(self.checkpoint, allow_pickle=False) as file:
                log = tuple(EpochLog(*row) for row in json.loads(str(file["log"])))
                groups = [_group(file, name) for name in _STATE_ARRAYS]
            return FitState(log, *groups)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise UserError(
                f"the checkpoint {self.checkpoint} cannot be read: {error}",
                "delete it to train this run from its first epoch again",
            ) from error

    def has_other_versions(self) -> bool:
        """Whether the run was begun with other packages, or on another machine."""
        try:
            begun: object = json.loads((self.path / _VERSIONS).read_text())
        except (OSError, ValueError):
            return True
        return begun != versions()

    def remove_progress(self) -> None:
        """Remove the checkpoint of a finished run."""
        self.checkpoint.unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint.parent, ignore_errors=True)


def make_next_folder(out: Path, name: str) -> Path:
    """Make the next free folder `NAME-N` in `out`.

    Raises:
        UserError: It cannot be made.
    """
    taken = re.compile(re.escape(name) + r"-(\d+)")
    with atomic.explaining_os_errors(out / name):
        out.mkdir(parents=True, exist_ok=True)
        matches = [taken.fullmatch(path.name) for path in out.iterdir()]
        number = 1 + max((int(match[1]) for match in matches if match), default=0)
        while True:
            folder = out / f"{name}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1  # another run was faster
                continue
            return folder


def new_run_folder(config: Settings, data_sha256: str) -> RunFolder:
    """Make the next free folder `NAME-N` in `config.out`, with arguments and versions in it.

    Raises:
        UserError: The folder cannot be made.
    """
    folder = RunFolder(make_next_folder(config.out, config.name))
    settings = dataclasses.asdict(config)
    del settings["out"]
    content = {"format": ARGUMENTS_FORMAT, **settings, "data_sha256": data_sha256}
    folder.write_json(_VERSIONS, versions())
    if isinstance(config, TrainingConfig) and config.architecture:
        content["architecture"] = config.architecture.to_json()
    if isinstance(config, QatConfig):
        content["model"] = str(config.model)
        atomic.write_bytes(folder.source, config.model.read_bytes())
    folder.write_json(ARGUMENTS, content)
    return folder


def open_run_folder(path: Path) -> tuple[RunFolder, Settings, str]:
    """Open the folder of a run that is to be resumed.

    Returns:
        The folder, the settings of the run, and the fingerprint of its data.

    Raises:
        UserError: It is no folder of a run, or the run is finished.
    """
    folder = RunFolder(path)
    try:
        content = json.loads(folder.arguments.read_text())
        if content.pop("format") != ARGUMENTS_FORMAT:
            raise ValueError("it is of another format")
        data_sha256 = str(content.pop("data_sha256"))
        config: Settings
        if "model" in content:
            config = QatConfig(**content | {"model": folder.source}, out=path.parent)
        else:
            if content.get("architecture"):
                content["architecture"] = Architecture.from_json(content["architecture"])
            config = TrainingConfig(**content, out=path.parent)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is not the folder of a training run: it has no {folder.arguments.name}",
            "name a folder that hemline train made, such as runs/optimized-1",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder.arguments} cannot be read: {error}",
            "name a folder that hemline train made, or start a new run",
        ) from error
    if folder.is_finished:
        raise UserError(
            f"the run {path} is finished, there is nothing to resume",
            f"its model is {folder.model}; leave --resume out to start a new run",
        )
    return folder, config, data_sha256


def versions() -> dict[str, str]:
    """What the outcome of a run also depends on."""
    from importlib import import_module

    found = {name: import_module(module).__version__ for name, module in _PACKAGES.items()}
    return {
        "hemline": __version__,
        "python": platform.python_version(),
        **found,
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }


def _named_arrays(state: FitState) -> dict[str, Any]:
    return {
        f"{name}_{i}": array
        for name in _STATE_ARRAYS
        for i, array in enumerate(getattr(state, name))
    }


def _group(file: Any, name: str) -> Arrays:
    count = sum(key.rpartition("_")[0] == name for key in file.files)
    return tuple(file[f"{name}_{i}"] for i in range(count))
