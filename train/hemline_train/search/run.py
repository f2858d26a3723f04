"""A search from the images to the front, its tables and its picture."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from hemline import atomic
from hemline.errors import UserError
from hemline_train.architectures import build_design, multiply_accumulates
from hemline_train.images import TrainingImages, load_images
from hemline_train.recipes import RECIPES
from hemline_train.run_folder import make_next_folder
from hemline_train.search.picture import draw_search
from hemline_train.search.results import (
    TrialRow,
    bytes_of,
    front_of,
    rows_of,
    write_architectures,
    write_tables,
)
from hemline_train.search.settings import Effort, SearchSettings
from hemline_train.search.space import SMALLEST
from hemline_train.search.study import database_in, explaining_storage, open_study
from hemline_train.search.trial import Report, Trials
from hemline_train.training import report_to_stderr

SETTINGS_FILE = "search.json"
SETTINGS_FORMAT = 1
_MOST_DRAWN_IN_VAIN = 500  # networks in a row that exceed a limit


class SearchInterrupted(KeyboardInterrupt):
    """Ctrl-C came during the search; it can be resumed.

    Attributes:
        folder: The folder of the search.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the search was interrupted; resume {folder}")
        self.folder = folder


@dataclass(frozen=True)
class SearchResult:
    """What came of a search.

    Attributes:
        folder: The folder with tables, picture and an architecture file for each trial.
        settings: What was searched.
        rows: All trials of the study, those of other machines too.
    """

    folder: Path
    settings: SearchSettings
    rows: tuple[TrialRow, ...]

    @property
    def front(self) -> list[TrialRow]:
        """The trials to which no other is at least as good with no larger a file; smallest first."""
        return front_of(self.rows, bytes_of)


def search(
    settings: SearchSettings,
    effort: Effort,
    out: Path,
    storage: str | None = None,
    report: Report = report_to_stderr,
) -> SearchResult:
    """Begin a search, or take part in one that others began in the same storage.

    Args:
        settings: What to search.
        effort: How long.
        out: The folder that the search's own folder is made in.
        storage: URL of a database that Optuna takes; by default a file in the folder.
        report: Takes a line about each trial.

    Raises:
        UserError: The data or the storage cannot be used, nothing fits the limits, or the study in the
            storage is another search.
        SearchInterrupted: Ctrl-C; `resume_search` goes on.
    """
    _must_fit_something(settings)
    images = _images(settings)
    study = None
    if storage is not None:  # a storage that cannot be used leaves no folder
        study = open_study(storage, settings, images.sha256)
    folder = make_next_folder(out, settings.study)
    content = {"format": SETTINGS_FORMAT, "own_storage": storage is None, **settings.to_json()}
    atomic.write_text(folder / SETTINGS_FILE, json.dumps(content, indent=1) + "\n")
    url = storage or database_in(folder)
    study = study or open_study(url, settings, images.sha256)
    report(f"search folder {folder}")
    return _run(folder, url, study, settings, images, effort, report)


def resume_search(
    folder: Path,
    effort: Effort,
    data: str | None = None,
    storage: str | None = None,
    report: Report = report_to_stderr,
) -> SearchResult:
    """Go on with a search.

    Args:
        folder: Of the search.
        effort: How long now.
        data: Where its data is now, if not where it was.
        storage: Its URL, if it is not in the folder: URLs hold passwords and are not kept.
        report: As in `search`.

    Raises:
        UserError: As in `search`; and it is no folder of a search.
        SearchInterrupted: As in `search`.
    """
    settings, own_storage = _settings_in(folder)
    settings = replace(settings, data=data or settings.data)
    if own_storage and storage is not None:
        raise UserError(
            f"the trials of {folder} are in the folder itself", "leave --storage out to resume it"
        )
    if not own_storage and storage is None:
        raise UserError(
            f"the trials of {folder} are in a database elsewhere, whose URL is not kept",
            "give it again with --storage URL",
        )
    images = _images(settings)
    url = storage or database_in(folder)
    study = open_study(url, settings, images.sha256)
    report(f"search folder {folder}, resumed after {len(study.get_trials(deepcopy=False))} trials")
    return _run(folder, url, study, settings, images, effort, report)


def _run(
    folder: Path,
    url: str,
    study: optuna.Study,
    settings: SearchSettings,
    images: TrainingImages,
    effort: Effort,
    report: Report,
) -> SearchResult:
    trials = Trials(study, settings, images, report)
    try:
        with explaining_storage(url):
            _search(study, trials, effort, lambda: _write(folder, study, settings))
            return SearchResult(folder, settings, tuple(rows_of(study)))
    except KeyboardInterrupt as error:
        with explaining_storage(url):
            _write(folder, study, settings)
        raise SearchInterrupted(folder) from error


def _search(
    study: optuna.Study, trials: Trials, effort: Effort, after_trial: Callable[[], None]
) -> None:
    """Trials until there are enough of them, or time is over."""
    started = time.monotonic()
    trained = in_vain = 0
    while trained < effort.trials:
        if effort.timeout_s is not None and time.monotonic() - started > effort.timeout_s:
            trials.report(f"time is over after {trained} trials")
            return
        study.optimize(trials, n_trials=1)
        if trials.latest_was_trained:
            trained, in_vain = trained + 1, 0
            after_trial()
            continue
        in_vain += 1
        if in_vain == _MOST_DRAWN_IN_VAIN:
            raise UserError(
                f"{in_vain} networks in a row exceeded a limit",
                "give higher limits: --max-parameters, --max-macs, --max-bytes",
            )


def _write(folder: Path, study: optuna.Study, settings: SearchSettings) -> None:
    rows = rows_of(study)
    write_architectures(folder, study)
    write_tables(folder, rows)
    complete = sum(row.is_complete for row in rows)
    if complete:
        title = f"{settings.study}: {complete} networks, {settings.length} each, on {settings.data}"
        draw_search(folder / "front.png", rows, title)


def _images(settings: SearchSettings) -> TrainingImages:
    """Training and validation images; what is chosen must not see the test images."""
    spec = RECIPES["resnet"].input
    return load_images(settings.data, spec, settings.batch_size, with_test=False)


def _must_fit_something(settings: SearchSettings) -> None:
    shape = RECIPES["resnet"].input.tensor_shape[1:]
    found = []
    for design in SMALLEST[settings.family]:
        model = build_design(design, shape, 2, "smallest")
        exceeded = settings.limits.exceeded_by(model.count_params(), multiply_accumulates(model))
        if not exceeded:
            return
        found.append(exceeded)
    raise UserError(
        f"no network fits the limits; the smallest that is tried has {found[-1]}",
        "give higher limits: --max-parameters, --max-macs",
    )


def _settings_in(folder: Path) -> tuple[SearchSettings, bool]:
    """The settings of a search, and whether its trials are in the folder."""
    path = folder / SETTINGS_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if content.pop("format") != SETTINGS_FORMAT:
            raise ValueError("it is of another format")
        own_storage = bool(content.pop("own_storage"))
        return SearchSettings.from_json(content), own_storage
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not the folder of a search: it has no {SETTINGS_FILE}",
            "name a folder that hemline search made, such as runs/search-1",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "name a folder that hemline search made"
        ) from error
