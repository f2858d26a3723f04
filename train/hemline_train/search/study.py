"""The study: where the trials of all who search together are kept."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
import sqlalchemy

from hemline.errors import UserError
from hemline_train.search.settings import SearchSettings

STUDY_FORMAT = 1
HEARTBEAT_S = 60  # a trial that gave no sign for twice as long is dead
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)  # before the next try, where others make the same tables
_Made = TypeVar("_Made")
_SIGNATURE = "hemline"  # the attribute of a study that says what is searched

# Attributes of a trial.
ACCURACIES = "validation_accuracies"
PARAMETERS = "parameters"
MACS = "macs"
WHY = "why"
ARCHITECTURE = "architecture"
FILE_BYTES = "int8_bytes"
FLOAT_ACCURACY = "float_accuracy"
INT8_ACCURACY = "int8_accuracy"
LATENCY_MS = "inference_ms"
MEASURED_ON = "measured_on"


def database_in(folder: Path) -> str:
    """The URL of the database of a search that has none elsewhere."""
    return f"sqlite:///{folder / 'study.db'}"


def open_study(url: str, settings: SearchSettings, data_sha256: str) -> optuna.Study:
    """Open the study, or begin it.

    Args:
        url: Of the storage.
        settings: What is searched.
        data_sha256: Of the images.

    Raises:
        UserError: The storage cannot be used, or its study is another search.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    wanted = {"format": STUDY_FORMAT, "data_sha256": data_sha256, **settings.to_json()}
    wanted.pop("data")  # may be elsewhere on another machine
    directions = [optuna.study.StudyDirection.MAXIMIZE]
    if settings.objective == "front":
        directions.append(optuna.study.StudyDirection.MINIMIZE)
    with explaining_storage(url):
        storage = _storage(url)
        study = _made_in_turn(
            lambda: optuna.create_study(
                storage=storage,
                study_name=settings.study,
                directions=directions,
                load_if_exists=True,
            )
        )
        found = study.user_attrs.get(_SIGNATURE)
        if found is None and not study.trials:
            study.set_user_attr(_SIGNATURE, wanted)
            found = wanted
    must_be_same_search(settings.study, found, wanted)
    return study


def _storage(url: str) -> optuna.storages.RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return _made_in_turn(
                lambda: optuna.storages.RDBStorage(
                    url, heartbeat_interval=HEARTBEAT_S, grace_period=2 * HEARTBEAT_S
                )
            )
        except (ImportError, RuntimeError) as error:  # no driver; tables of another version
            raise _unusable(url, error) from error


def _made_in_turn(make: Callable[[], _Made]) -> _Made:
    """Make what others may be making in the same database at this moment: a moment later it is there."""
    for pause_s in _PAUSES_S:
        try:
            return make()
        except sqlalchemy.exc.DatabaseError as error:
            reason = str(error.orig)
            meanwhile = isinstance(error, sqlalchemy.exc.IntegrityError)
            if not (meanwhile or "already exists" in reason or "locked" in reason):
                raise
        time.sleep(pause_s)
    return make()


def must_be_same_search(name: str, found: Any, wanted: dict[str, Any]) -> None:
    """Refuse to go on with a study of something else.

    Raises:
        UserError: It is; what differs is told.
    """
    if not isinstance(found, dict):
        raise UserError(
            f"the study {name!r} in this storage is not one of hemline search",
            "choose another name with --study, or another --storage",
        )
    differing = [key for key in sorted(wanted) if found.get(key) != wanted[key]]
    if differing:
        details = "; ".join(
            "the images are others"
            if key == "data_sha256"
            else f"{key} is {found.get(key)!r} there and {wanted[key]!r} here"
            for key in differing
        )
        raise UserError(
            f"the study {name!r} in this storage is another search: {details}",
            "give the same options and data to go on with it, or begin another one with --study",
        )


def sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    """What draws a trial: with the same trials before it, the same for the same numbers."""
    state = np.random.SeedSequence([seed, number]).generate_state(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=int(state[0]),
            constant_liar=True,  # others may be at work on the best known region too
        )


@contextlib.contextmanager
def explaining_storage(url: str) -> Iterator[None]:
    """Turn what a storage refuses into a `UserError`, which shows no password.

    Raises:
        UserError: The URL is none, or the database refuses.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise _unusable(url, error) from error


def _unusable(url: str, error: Exception) -> UserError:
    return UserError(
        f"the storage {without_password(url)} cannot be used: {_reason(url, error)}",
        "give a URL that Optuna takes, such as sqlite:///study.db or "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE (with its driver, psycopg, installed)",
    )


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return "URL"  # it may hold a password anywhere


def _reason(url: str, error: BaseException) -> str:
    """The first line of what went wrong, without the password and without the URL."""
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else None
    if isinstance(error, sqlalchemy.exc.ArgumentError):
        return "it is no URL of a database"
    text = str(getattr(cause or error, "orig", None) or cause or error).strip()
    line = (text.splitlines() or [type(error).__name__])[0].replace(url, without_password(url))
    with contextlib.suppress(sqlalchemy.exc.ArgumentError, ValueError):
        password = sqlalchemy.engine.make_url(url).password
        if password:
            line = line.replace(str(password), "***")
    return line
