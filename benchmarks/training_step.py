"""Forwards and backwards through a batch: as `hemline train` computes it, against Keras' own layers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import _measure
import numpy as np
from _measure import Comparison

from hemline.errors import UserError
from hemline_train._tensorflow import keras, make_deterministic, tf
from hemline_train.architectures import build_network
from hemline_train.designs import DESIGNS
from hemline_train.layer_kernels import require_bfloat16, training_kernels
from hemline_train.recipes import RECIPES

KERAS = "Keras' layers"
CLASSES = 10


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(
        __doc__ or "", rounds=10, warm_up=2, model=f"architecture: {', '.join(DESIGNS)}"
    )
    parser.set_defaults(model="compact")
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """One step each, in turns."""
    if arguments.model not in DESIGNS:
        raise UserError(
            f"there is no architecture {arguments.model!r} with batch normalization",
            f"choose one of: {', '.join(DESIGNS)}",
        )
    make_deterministic(_measure.SEED)  # as in a training
    steps = {KERAS: step(arguments.model), "fused": step(arguments.model, fused=True)}
    try:
        require_bfloat16()
        steps["fused, --bfloat16"] = step(arguments.model, fused=True, bfloat16=True)
    except UserError as error:
        print(f"without --bfloat16: {error.problem}")
    seconds = _measure.seconds_of_rounds(steps, arguments.rounds, arguments.warm_up)
    ms = {name: [1e3 * s for s in values] for name, values in seconds.items()}
    return [
        Comparison(f"{arguments.model}, {name}", KERAS, "ms", ms[name], ms[KERAS])
        for name in ms
        if name != KERAS
    ]


def step(arch: str, *, fused: bool = False, bfloat16: bool = False) -> Callable[[], object]:
    """A compiled step over a batch of noise, without what the optimizer does to the weights."""
    keras.utils.set_random_seed(_measure.SEED)
    model = build_network(arch, CLASSES)
    random = np.random.default_rng(_measure.SEED)
    count = RECIPES[arch].batch_size
    pixels = tf.constant(random.uniform(0, 255, (count, *model.input_shape[1:])), tf.float32)
    targets = tf.constant(random.integers(0, CLASSES, count))

    @tf.function
    def gradients() -> object:
        with tf.GradientTape() as tape:
            logits = model(pixels, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        return tape.gradient(loss, model.trainable_variables)[0]

    with training_kernels(model.layers, fused=fused, bfloat16=bfloat16):
        gradients()  # what is traced here stays so
    return lambda: gradients().numpy()


if __name__ == "__main__":
    sys.exit(main())
