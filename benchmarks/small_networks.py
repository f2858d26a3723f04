"""Small networks for the benchmarks of calibration, trained for a few epochs.

python benchmarks/small_networks.py FOLDER     # writes residual.keras and depthwise.keras
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qat import mobile_network

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.errors import UserError

SEED = 1
_SPEC = InputSpec((28, 28), "gray", "pad", "light-on-dark")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write the networks")
    parser.add_argument("--data", default="fashion-mnist", help="name or folder of a data set")
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()
    try:
        train(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def residual_network(keras: Any, classes: int) -> Any:
    """Two residual blocks with batch normalization behind a first convolution."""
    layers = keras.layers
    pixels = keras.Input((28, 28, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="rescaling")(pixels)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(x)
    for number, filters in enumerate((24, 32), start=1):
        y = layers.Conv2D(filters, 3, 2, padding="same", name=f"first_{number}")(x)
        y = layers.BatchNormalization(name=f"norm_{number}a")(y)
        y = layers.ReLU(name=f"relu_{number}a")(y)
        y = layers.Conv2D(filters, 3, padding="same", name=f"second_{number}")(y)
        y = layers.BatchNormalization(name=f"norm_{number}b")(y)
        x = layers.Conv2D(filters, 1, 2, name=f"shortcut_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}b")(layers.Add(name=f"sum_{number}")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pooling")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="residual")


_BUILD: dict[str, Callable[[Any, int], Any]] = {
    "residual": residual_network,
    "depthwise": mobile_network,
}


def train(arguments: argparse.Namespace) -> None:
    """Train each and write it with its card."""
    from hemline_train._tensorflow import keras, make_deterministic
    from hemline_train.images import load_images
    from hemline_train.model_file import save_model

    images = load_images(arguments.data, _SPEC, 64)
    train, validation = images.splits["train"], images.splits["validation"]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, build in _BUILD.items():
        make_deterministic(SEED)
        model = build(keras, len(images.labels))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
        model.fit(train.pixels, train.targets, 64, arguments.epochs, verbose=2)
        accuracy = model.evaluate(validation.pixels, validation.targets, 500, verbose=0)[1]
        print(f"{name}: float accuracy on validation {accuracy:.4f}")
        bare = keras.Model.from_config(model.get_config())  # not compiled
        bare.set_weights(model.get_weights())
        training = {"data": images.name, "data_sha256": images.sha256, "epochs": arguments.epochs}
        card = ModelCard(name, images.labels, _SPEC, Normalization(1 / 255), training=training)
        save_model(arguments.folder / f"{name}.keras", bare, card)


if __name__ == "__main__":
    sys.exit(main())
