"""What quantization-aware training gains: float, int8 after calibration, int8 after training, compared.

python benchmarks/qat.py spoil spoilt.keras          # a network that int8 breaks
hemline train --qat spoilt.keras --learning-rate 0.003 --epochs 6 --seed 1
hemline train --qat runs/spoilt-qat-1 --learning-rate 0.001 --epochs 8 --seed 1 --data fashion-mnist
python benchmarks/qat.py compare spoilt.keras runs/spoilt-qat-2/model.keras
hemline train --qat runtime/hemline/models/paper.keras --seed 1
python benchmarks/qat.py compare runtime/hemline/models/paper.keras runs/optimized-qat-1/model.keras
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends import open_backend
from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import open_dataset
from hemline.errors import UserError
from hemline.parity.metrics import mcnemar_exact_p, wilson_interval
from hemline.progress import progress

EPOCHS = 4
SEED = 1
SPREAD = 5.0  # channels are scaled by up to 2^5 and down to 2^-5


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True)
    spoiling = parts.add_parser("spoil", help="make the network that int8 breaks")
    spoiling.add_argument("model", type=Path, help="the .keras file to write")
    spoiling.set_defaults(run=spoil)
    comparing = parts.add_parser("compare", help="compare a float model with its int8 files")
    comparing.add_argument("model", type=Path, help="the float .keras file")
    comparing.add_argument("trained", type=Path, help="what hemline train --qat made of it")
    comparing.add_argument("--split", default="validation", help="measure on it")
    comparing.set_defaults(run=compare)
    for part in (spoiling, comparing):
        part.add_argument("--data", default="fashion-mnist", help="name or folder of a data set")
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except UserError as error:
        print(f"{error}\n  {error.hint}", file=sys.stderr)
        return 2
    return 0


def spoil(arguments: argparse.Namespace) -> None:
    """Train a network of depthwise convolutions, then scale its channels; in float that changes nothing."""
    from hemline_train._tensorflow import keras, make_deterministic
    from hemline_train.images import load_images
    from hemline_train.model_file import save_model

    spec = InputSpec((28, 28), "gray", "pad", "light-on-dark")
    images = load_images(arguments.data, spec, 64)
    make_deterministic(SEED)
    model = mobile_network(keras, len(images.labels))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    train, validation = images.splits["train"], images.splits["validation"]
    model.fit(train.pixels, train.targets, batch_size=64, epochs=EPOCHS, verbose=2)
    for when in ("before", "after"):
        accuracy = model.evaluate(validation.pixels, validation.targets, 500, verbose=0)[1]
        print(f"float accuracy on validation {when} the channels are scaled: {accuracy:.4f}")
        if when == "before":
            scale_channels(model)
    bare = keras.Model.from_config(model.get_config())  # not compiled
    bare.set_weights(model.get_weights())
    card = ModelCard(
        arguments.model.stem,
        images.labels,
        spec,
        Normalization(1 / 255),
        training={"data": images.name, "data_sha256": images.sha256, "epochs": EPOCHS},
    )
    save_model(arguments.model, bare, card)


def mobile_network(keras: Any, classes: int) -> Any:
    """Depthwise and pointwise convolutions, each with ReLU, which lets a factor through."""
    layers = keras.layers
    pixels = keras.Input((28, 28, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="rescaling")(pixels)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    for number, (filters, strides) in enumerate(((32, 1), (48, 2), (64, 1)), start=1):
        x = layers.DepthwiseConv2D(
            3, strides=strides, padding="same", activation="relu", name=f"depthwise_{number}"
        )(x)
        x = layers.Conv2D(filters, 1, activation="relu", name=f"pointwise_{number}")(x)
    x = layers.GlobalAveragePooling2D(name="pooling")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="mobile")


def scale_channels(model: Any) -> None:
    """Multiply the channels between two layers by powers of two, and divide them out in the second."""
    chance = np.random.default_rng(0)
    layers = [layer for layer in model.layers if "stem" in layer.name or "wise" in layer.name]
    for first, second in itertools.pairwise(layers):
        factors = 2.0 ** chance.uniform(-SPREAD, SPREAD, first.output.shape[-1])
        kernel, bias = first.get_weights()
        across = factors.reshape(-1, 1) if "depthwise" in first.name else factors
        first.set_weights([kernel * across, bias * factors])
        kernel, bias = second.get_weights()
        second.set_weights([kernel / factors.reshape(-1, 1), bias])


def compare(arguments: argparse.Namespace) -> None:
    """Print the accuracy of each, with its interval, and McNemar's p against the float model."""
    from hemline_convert.convert import ConversionConfig, convert

    dataset = open_dataset(arguments.data)
    split = dataset.split(arguments.split)
    with tempfile.TemporaryDirectory() as folder:
        files = {"float": str(arguments.model), "float, trained on": str(arguments.trained)}
        for name, model in (("int8", arguments.model), ("int8, trained", arguments.trained)):
            data = arguments.data if name == "int8" else None  # the other needs no pictures
            out = Path(folder) / name
            made = convert(ConversionConfig(model=model, out=out, onnx=(), data=data))
            files[name] = str(made.files[0])
        right = {name: _right(path, split) for name, path in files.items()}
    print(f"{len(split.targets):,} pictures of {dataset.name}/{split.name}")
    print(
        f"{'':<20} {'accuracy':>8}  {'95 % interval':<17} {'only float':>10} {'only it':>8} {'p':>9}"
    )
    for name, hits in right.items():
        low, high = wilson_interval(int(hits.sum()), len(hits))
        lost, gained = int((right["float"] & ~hits).sum()), int((hits & ~right["float"]).sum())
        p = mcnemar_exact_p(lost, gained)
        print(
            f"{name:<20} {hits.mean():>8.4f}  {low:.4f} – {high:.4f}   {lost:>10,} {gained:>8,} {_p(p):>9}"
        )
    lost, gained = (
        int((right[a] & ~right[b]).sum())
        for a, b in (("float, trained on", "int8, trained"), ("int8, trained", "float, trained on"))
    )
    p = mcnemar_exact_p(lost, gained)
    print(f"int8 against the float of the same training: {lost} lost, {gained} gained, p = {_p(p)}")


def _p(p: float) -> str:
    return f"{p:.2g}" if p else "< 1e-300"  # smaller than a float can be


def _right(path: str, split: Any) -> NDArray[np.bool_]:
    """Which pictures a model names rightly."""
    backend = open_backend(path)
    card = ModelCard.from_json(backend.card_json or "")
    backend.feed(card.normalization)
    tensors = split.tensors(card.input, description="pictures")
    answers = [
        backend.logits(tensor[None]).argmax()
        for tensor in progress(tensors, Path(path).name, len(tensors))
    ]
    hits: NDArray[np.bool_] = np.array(answers) == split.targets
    return hits


if __name__ == "__main__":
    sys.exit(main())
