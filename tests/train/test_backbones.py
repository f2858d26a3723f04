"""The weights come from a server on loopback; the loading is that of Keras, in a process of its own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hemline.errors import UserError
from hemline_train import TrainingConfig
from hemline_train._tensorflow import keras

# What Keras calls the weights of a MobileNetV2 of this width and input, without its classes.
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
PROGRAM = """
import sys
from keras.src.applications import mobilenet_v2
mobilenet_v2.BASE_WEIGHT_PATH = sys.argv[1]
from hemline.cli import main
sys.exit(main(sys.argv[2:]))
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a server."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", folder
    server.shutdown()
    server.server_close()


def train(address: str, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KERAS_HOME": str(home),
        "no_proxy": "127.0.0.1",
    }
    command = [sys.executable, "-c", PROGRAM, address, "train", *map(str, arguments)]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.slow
def test_a_backbone_is_downloaded_trained_on_and_named_in_the_card(
    served: tuple[str, Path], shapes: Path, tmp_path: Path
) -> None:
    address, folder = served
    keras.utils.set_random_seed(5)
    source = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    source.save_weights(tmp_path / "source.weights.h5")
    # Keras Applications reads the format of its own releases.
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(folder / WEIGHTS, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, source)
    options = ["--arch", "wardrobe", "--backbone", "mobilenet-v2-0.35", "--data", shapes]
    options += ["--epochs", "1", "--batch-size", "16", "--out", tmp_path / "runs"]
    # So low that what was loaded is still to be seen.
    done = train(address, tmp_path / "home", *options, "--learning-rate", "1e-6")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "mobilenet-v2-0.35-1"
    model = keras.saving.load_model(run / "model.keras", compile=False)
    assert model.input_shape == (None, 96, 96, 3)
    first = model.get_layer("Conv1").get_weights()[0]
    before = source.get_layer("Conv1").get_weights()[0]
    assert 0 < abs(first - before).mean() < 0.1 * abs(before).mean()  # trained on, not begun anew
    assert '"backbone": "mobilenet-v2-0.35, weights of ImageNet"' in (run / "card.json").read_text()


@pytest.mark.slow
def test_weights_that_cannot_be_had_are_told_in_words(
    served: tuple[str, Path], shapes: Path, tmp_path: Path
) -> None:
    address, _ = served
    options = ["--arch", "wardrobe", "--backbone", "mobilenet-v2-0.35", "--data", shapes]
    done = train(address, tmp_path / "home", *options, "--out", tmp_path / "runs")
    assert done.returncode == 2
    assert "ImageNet weights of mobilenet-v2-0.35 cannot be had" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backbone_goes_with_photos_only() -> None:
    with pytest.raises(UserError, match="takes no backbone"):
        TrainingConfig.recommended("resnet", backbone="mobilenet-v2-1.0")


def test_an_unknown_backbone_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="no backbone 'vgg'") as caught:
        TrainingConfig.recommended("wardrobe", backbone="vgg")
    assert "mobilenet-v2-0.35" in caught.value.hint


def test_a_backbone_has_its_own_input_epochs_and_rate() -> None:
    config = TrainingConfig.recommended("wardrobe", backbone="mobilenet-v2-0.5")
    assert config.input.size_wh == (96, 96)
    assert (config.epochs, config.learning_rate) == (30, 0.01)
    assert config.name == "mobilenet-v2-0.5"
