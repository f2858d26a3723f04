from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hemline.errors import UserError
from hemline_train.search.command import COMMAND


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    return COMMAND.run(parser.parse_args(arguments))


def test_the_command_is_imported_without_anything_heavy() -> None:
    code = (
        "import sys, hemline_train.search.command as c; "
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'optuna', 'cv2'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--trials", "0"], "--trials is 0"),
        (["--max-parameters", "0"], "--max-parameters is 0"),
        (["--resume", "x", "--epochs", "3", "--max-macs", "9"], "no --epochs, --max-macs"),
        (["--resume", "x", "--out", "y"], "--out"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_loaded(options: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(*options)


def test_without_optuna_it_says_what_to_install(
    hemline: Callable[..., subprocess.CompletedProcess[str]],
    hiding: Callable[..., dict[str, str]],
    tmp_path: Path,
) -> None:
    done = hemline("search", "--out", tmp_path, env=hiding("optuna"))
    assert done.returncode == 2
    assert "pip install 'hemline[search]'" in done.stderr
