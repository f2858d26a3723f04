"""Fitting: epochs of training whose outcome is a pure function of images, settings and seed.

Order, augmentation and dropout of an epoch are drawn from (seed, epoch) alone, never from what went
before. So an epoch that starts from the same weights and optimizer ends in the same ones, and a run
that was killed and resumed ends where an uninterrupted one does, bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError
from hemline.progress import progress
from hemline_train._tensorflow import keras, tf
from hemline_train.augmentation import augment
from hemline_train.config import BestBy, Settings
from hemline_train.evaluation import Forward, score_logits
from hemline_train.images import Images

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class EpochLog:
    """One line of the log.

    Attributes:
        epoch: From 1.
        training_accuracy: Over the epoch, while the weights change, augmented and with dropout.
        training_loss: Likewise; cross-entropy in nats.
        validation_accuracy: After the epoch, on the images as they are.
        validation_loss: Likewise.
        seconds: What the epoch took, validation included.
    """

    epoch: int
    training_accuracy: float
    training_loss: float
    validation_accuracy: float
    validation_loss: float
    seconds: float


@dataclass(frozen=True)
class FitState:
    """All that the next epoch depends on; what a checkpoint holds.

    Attributes:
        log: The epochs done.
        weights: Of the network after the last of them.
        optimizer: Variables of the optimizer.
        best_weights: Of the best epoch.
    """

    log: tuple[EpochLog, ...]
    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays

    def best_epoch(self, config: Settings) -> int:
        """The best epoch as `config.best_by` says, the first of equals; 0 before any."""
        if not self.log:
            return 0
        return min(self.log, key=_ORDERS[config.best_by]).epoch

    def is_over(self, config: Settings) -> bool:
        """Whether all epochs are done, or patience has run out."""
        done = len(self.log)
        waited = done - self.best_epoch(config)
        return done >= config.epochs or (config.patience > 0 and waited >= config.patience)


# The best epoch comes first.
_ORDERS: dict[BestBy, Callable[[EpochLog], Any]] = {
    "validation_loss": lambda row: row.validation_loss,
    "validation_accuracy": lambda row: (-row.validation_accuracy, row.validation_loss),
}


class Network(Protocol):
    """What is fitted: a Keras model, or one with fake quantization around it."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(None, height, width, channels)."""

    @property
    def layers(self) -> list[Any]:
        """Keras layers, among them those that drop values in training."""

    trainable_variables: list[Any]

    def get_weights(self) -> list[NDArray[Any]]:
        """All that an answer depends on."""

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Take what `get_weights` gave."""

    def __call__(self, pixels: Any, training: bool) -> Any:
        """Float32 pixels of 0–255, (N, H, W, C), to logits, (N, classes)."""


class Fitting:
    """A network, its optimizer, and the compiled training step.

    Args:
        model: Its weights are changed.
        config: Settings of the run.
        train: Training images.
        validation: Validation images.
        also: From pixels to logits with the same weights in another way; its loss is added to that of
            the network.
    """

    def __init__(
        self,
        model: Network,
        config: Settings,
        train: Images,
        validation: Images,
        also: Callable[[Any], Any] | None = None,
    ) -> None:
        self.model = model
        self._also = also
        self._config = config
        self._train = train
        self._validation = validation
        self._optimizer = keras.optimizers.Adam(config.learning_rate)
        self._optimizer.build(model.trainable_variables)
        self._forward = Forward(model)
        self._pixels = tf.constant(train.pixels)
        self._targets = tf.constant(train.targets)
        # The signature keeps the shorter last batch from tracing a second graph.
        self._step = tf.function(
            self._traced_step,
            input_signature=(tf.TensorSpec((None,), tf.int64), tf.TensorSpec((2,), tf.int32)),
        )

    def start(self) -> FitState:
        """The state before the first epoch."""
        return FitState((), self._weights(), self._optimizer_arrays(), self._weights())

    def run(self, state: FitState, after_epoch: Callable[[FitState], None]) -> FitState:
        """Train from `state` until it is over, and leave the weights to keep in the model.

        Args:
            state: From `start`, or from a checkpoint.
            after_epoch: Called with the state after each epoch.

        Raises:
            UserError: The loss is no longer a number.
        """
        self.model.set_weights(state.weights)
        for variable, value in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        while not state.is_over(self._config):
            state = self._epoch(state)
            after_epoch(state)
        kept = state.best_weights if self._config.patience else state.weights
        self.model.set_weights(kept)
        self._seed_dropout(0)  # the saved file must not depend on where a run was resumed
        return state

    def _epoch(self, state: FitState) -> FitState:
        epoch = len(state.log) + 1
        started = time.perf_counter()
        accuracy, loss = self._train_epoch(epoch)
        logits = self._forward(self._validation.pixels)
        score = score_logits(logits, self._validation.targets)
        if not (math.isfinite(loss) and math.isfinite(score.loss)):
            raise UserError(
                f"training diverged in epoch {epoch}: the loss is no longer a number",
                f"the learning rate {self._config.learning_rate} is too high: lower it with "
                "--learning-rate",
            )
        seconds = round(time.perf_counter() - started, 2)
        row = EpochLog(epoch, accuracy, loss, score.accuracy, score.loss, seconds)
        weights = self._weights()
        state = replace(
            state, log=(*state.log, row), weights=weights, optimizer=self._optimizer_arrays()
        )
        return (
            replace(state, best_weights=weights)
            if state.best_epoch(self._config) == epoch
            else state
        )

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """Accuracy and mean loss over the epoch."""
        count, size = len(self._train), self._config.batch_size
        order = np.random.default_rng(self._draws(epoch, "order")).permutation(count)
        seeds = np.random.default_rng(self._draws(epoch, "augmentation")).integers(
            0, 2**31 - 1, (math.ceil(count / size), 2), dtype=np.int32
        )
        self._seed_dropout(epoch)
        starts = range(0, count, size)
        description = f"epoch {epoch}/{self._config.epochs}"
        results = []
        for step, first in enumerate(progress(starts, description, len(starts), "batch")):
            results.append(self._step(order[first : first + size], seeds[step]))
        correct, loss = np.sum([[float(c), float(s)] for c, s in results], axis=0)
        return float(correct / count), float(loss / count)

    def _traced_step(self, indices: Any, seed: Any) -> tuple[Any, Any]:
        """One step of the optimizer: how many were right, and the sum of their losses."""
        pixels, targets = tf.gather(self._pixels, indices), tf.gather(self._targets, indices)
        if self._config.augment:
            pixels = augment(pixels, seed)
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(pixels, tf.float32), training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            mean = tf.reduce_mean(losses)
            if self._also is not None:
                others = self._also(tf.cast(pixels, tf.float32))
                mean += tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(targets, others)
                )
        variables = self.model.trainable_variables
        self._optimizer.apply(tape.gradient(mean, variables))
        correct = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == targets, tf.float32))
        return correct, tf.reduce_sum(losses)

    def _seed_dropout(self, epoch: int) -> None:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                draws = np.random.SeedSequence(self._draws(epoch, "dropout", layer.name))
                layer.seed_generator.state.assign(draws.generate_state(2))

    def _draws(self, epoch: int, *purpose: str) -> list[int]:
        """The entropy for one purpose in one epoch."""
        return [self._config.seed, epoch, *"/".join(purpose).encode()]

    def _weights(self) -> Arrays:
        return tuple(np.array(array) for array in self.model.get_weights())

    def _optimizer_arrays(self) -> Arrays:
        return tuple(np.array(variable.numpy()) for variable in self._optimizer.variables)
