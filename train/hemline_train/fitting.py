"""Fitting: epochs of training whose outcome is a pure function of images, settings and seed.

Order, augmentation and dropout of an epoch are drawn from (seed, epoch) alone, never from what went
before. So an epoch that starts from the same weights and optimizer ends in the same ones, and a run
that was killed and resumed ends where an uninterrupted one does, bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError
from hemline.progress import progress
from hemline_train._tensorflow import keras, tf
from hemline_train.augmentation import augment, mix, tremble
from hemline_train.config import Settings
from hemline_train.distillation import TEACHER_SHARE, TEMPERATURE, Teacher
from hemline_train.distribution import Alone, Crew, from_chief
from hemline_train.evaluation import Forward, score_logits
from hemline_train.fit_state import Arrays, EpochLog, FitState, figures_of, log_of
from hemline_train.images import EpochImages, Images, Prefetch
from hemline_train.layer_kernels import training_kernels
from hemline_train.losses import GroupLoss, distillation_loss, right_answers
from hemline_train.optimization import (
    WeightAverage,
    averaging_decay,
    learning_rate,
    make_optimizer,
    with_decay,
)


class Network(Protocol):
    """What is fitted: a Keras model, or one with fake quantization around it."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(None, height, width, channels)."""

    @property
    def layers(self) -> list[Any]:
        """Keras layers, among them those that drop values in training."""

    trainable_variables: list[Any]

    @property
    def weights(self) -> list[Any]:
        """All variables that an answer depends on."""

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(None, classes)."""

    def get_weights(self) -> list[NDArray[Any]]:
        """All that an answer depends on."""

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Take what `get_weights` gave."""

    def __call__(self, pixels: Any, training: bool) -> Any:
        """Float32 pixels of 0–255, (N, H, W, C), to logits, (N, classes)."""


class TrainingDivergedError(UserError):
    """The loss is no longer a number."""


class Fitting:
    """A network, its optimizer, and the compiled training step.

    Args:
        model: Its weights are changed.
        config: Settings of the run.
        train: Training images.
        validation: Validation images; None where they are trained on.
        groups: bool, (groups, classes): which classes are right for a target of the training images; by
            default a target is a class.
        teacher: From pixels to logits, of what the network is to learn from.
        also: From pixels to logits with the same weights in another way; its loss is added to that of
            the network.
        crew: The processes that train together.
    """

    def __init__(
        self,
        model: Network,
        config: Settings,
        train: EpochImages,
        validation: Images | None,
        groups: NDArray[np.bool_] | None = None,
        teacher: Teacher | None = None,
        also: Callable[[Any], Any] | None = None,
        crew: Crew | None = None,
    ) -> None:
        self.model = model
        self._crew = crew or Alone()
        self._also = also
        self._teacher = teacher
        self._config = config
        self._train = train
        self._prefetch = Prefetch(train, config.epochs)
        self._validation = validation
        self._optimizer = make_optimizer(config.optimization, model.trainable_variables)
        self._average = None
        if config.optimization.averaging:
            self._average = WeightAverage(model.weights)
        self._forward = Forward(model)
        classes = int(model.output_shape[-1] or 0)
        self._given_groups = groups
        self._groups = np.identity(classes) > 0 if groups is None else groups
        self._loss = GroupLoss(self._groups, config.label_smoothing)
        # Resident, so that an epoch of the same images copies nothing.
        self._loaded: Images | None = None
        shape = (len(train), *(int(size or 0) for size in model.input_shape[1:]))
        self._pixels = tf.Variable(tf.zeros(shape, tf.uint8), trainable=False)
        self._targets = tf.Variable(tf.zeros(len(train), tf.int64), trainable=False)
        # The signature keeps the shorter last batch from tracing a second graph.
        self._step = tf.function(
            self._traced_step,
            input_signature=(
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((2,), tf.int32),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.float32),
            ),
        )

    def start(self) -> FitState:
        """The state before the first epoch."""
        averaged = self._average.arrays() if self._average else ()
        return FitState((), self._weights(), self._optimizer_arrays(), self._weights(), averaged)

    def run(self, state: FitState, after_epoch: Callable[[FitState], None]) -> FitState:
        """Train from `state` until it is over, and leave the weights to keep in the model.

        Args:
            state: From `start`, or from a checkpoint.
            after_epoch: Called with the state after each epoch.

        Raises:
            TrainingDivergedError: The loss is no longer a number.
            UserError: A process that takes part is gone.
        """
        if self._crew.size > 1:
            state = self._as_chief(state)
        self.model.set_weights(state.weights)
        for variable, value in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        if self._average:
            self._average.restore(state.averaged)
        layers = self.model.layers
        with (
            training_kernels(layers, fused=self._crew.size == 1, bfloat16=self._config.in_bfloat16),
            self._crew.shared_statistics(layers),
            self._crew.explaining_losses(),
        ):
            while not state.is_over(self._config):
                state = self._epoch(state)
                after_epoch(state)
        self.model.set_weights(state.best_weights if self._config.patience else state.kept)
        self._seed_dropout(0)  # the saved file must not depend on where a run was resumed
        return state

    def _epoch(self, state: FitState) -> FitState:
        epoch = len(state.log) + 1
        started = time.perf_counter()
        accuracy, loss = self._train_epoch(epoch)
        state = replace(
            state,
            weights=self._weights(),
            optimizer=self._optimizer_arrays(),
            averaged=self._average.arrays() if self._average else (),
        )
        validated = self._validate(state)
        if not (math.isfinite(loss) and math.isfinite(validated[1] or 0.0)):
            raise TrainingDivergedError(
                f"training diverged in epoch {epoch}: the loss is no longer a number",
                f"the learning rate {self._config.learning_rate} is too high: lower it with "
                "--learning-rate",
            )
        seconds = round(time.perf_counter() - started, 2)
        row = EpochLog(epoch, accuracy, loss, *validated, seconds)
        if self._crew.size > 1:
            # When to stop is decided by the same figures everywhere.
            row = log_of(from_chief(self._crew, [figures_of((row,))])[0])[0]
        state = replace(state, log=(*state.log, row))
        is_best = state.best_epoch(self._config) == epoch
        return replace(state, best_weights=state.kept) if is_best else state

    def _validate(self, state: FitState) -> tuple[float | None, float | None]:
        """Accuracy and loss of the weights that would be kept."""
        if self._validation is None:
            return None, None
        if state.averaged:
            self.model.set_weights(state.averaged)
        logits = self._forward(self._validation.pixels)
        score = score_logits(logits, self._validation.targets, self._given_groups)
        if state.averaged:
            self.model.set_weights(state.weights)
        return score.accuracy, score.loss

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """Accuracy and mean loss over the epoch."""
        count, size = len(self._train), self._config.batch_size
        order = np.random.default_rng(self._draws(epoch, "order")).permutation(count)
        starts = range(0, count, size)
        seeds = np.random.default_rng(self._draws(epoch, "augmentation")).integers(
            0, 2**31 - 1, (len(starts), 2), dtype=np.int32
        )
        self._seed_dropout(epoch)
        self._load(self._prefetch.of_epoch(epoch))
        settings, before = self._config.optimization, (epoch - 1) * len(starts)
        description = f"epoch {epoch}/{self._config.epochs}"
        results = []
        for number, first in enumerate(progress(starts, description, len(starts), "batch")):
            step = before + number
            rate = learning_rate(settings, step, self._config.epochs * len(starts))
            decay = averaging_decay(settings, step)
            results.append(self._step(order[first : first + size], seeds[number], rate, decay))
        correct, loss = np.sum([[float(c), float(s)] for c, s in results], axis=0)
        return float(correct / count), float(loss / count)

    def _load(self, images: Images) -> None:
        """Hand the images of an epoch to the compiled step."""
        if images is not self._loaded:
            self._pixels.assign(images.pixels)
            self._targets.assign(images.targets)
            self._loaded = images

    def _traced_step(self, indices: Any, seed: Any, rate: Any, decay: Any) -> tuple[Any, Any]:
        """One step of the optimizer: how many were right, and the sum of their losses."""
        pixels, targets = tf.gather(self._pixels, indices), tf.gather(self._targets, indices)
        augmentation = self._config.augmentation
        shown, mixed = augment(pixels, seed, augmentation), []
        if augmentation.mixed:
            shown, kept = mix(shown, seed + (3, 0), augmentation.mixed)
            mixed = [kept, tf.roll(targets, -1, axis=0)]
        seen = shown
        if augmentation.trembling and self._teacher is not None:
            seen = tremble(shown, seed + (4, 0), augmentation.trembling)
        count = tf.cast(tf.shape(indices)[0], tf.float32)
        *gradients, correct, loss = self._crew.summed(
            lambda *share: self._gradients(count, *share), [seen, targets, shown, *mixed]
        )
        variables = self.model.trainable_variables
        self._optimizer.learning_rate.assign(rate)
        weight_decay = self._config.optimization.weight_decay
        self._optimizer.apply(with_decay(gradients, variables, weight_decay))
        if self._average:
            self._average.update(decay)
        return correct, loss

    def _gradients(
        self,
        count: Any,
        pixels: Any,
        targets: Any,
        of_teacher: Any,
        kept: Any = None,
        others: Any = None,
    ) -> list[Any]:
        """Gradients of some images of a batch, how many were right, and the sum of their losses.

        Args:
            count: Images of the whole batch.
            pixels: uint8, (N, H, W, C).
            targets: int64, (N,).
            of_teacher: What a teacher sees, as `pixels`.
            kept: float32, (N,), the share that images keep of themselves, where they are mixed.
            others: int64, (N,), the targets of what is mixed into them.
        """
        pixels = tf.cast(pixels, tf.float32)
        with tf.GradientTape() as tape:
            logits = self.model(pixels, training=True)
            losses = self._loss(logits, targets)
            if kept is not None:
                losses = kept * losses + (1 - kept) * self._loss(logits, others)
            if self._teacher is not None:
                wanted = self._teacher(tf.cast(of_teacher, tf.float32))
                taught = distillation_loss(logits, wanted, TEMPERATURE)
                losses = (1 - TEACHER_SHARE) * losses + TEACHER_SHARE * taught
            mean = tf.reduce_sum(losses) / count
            if self._also is not None:
                mean += tf.reduce_sum(self._loss(self._also(pixels), targets)) / count
        gradients = tape.gradient(mean, self.model.trainable_variables)
        correct = tf.reduce_sum(tf.cast(right_answers(logits, targets, self._groups), tf.float32))
        return [*gradients, correct, tf.reduce_sum(losses)]

    def _as_chief(self, state: FitState) -> FitState:
        """The state that the chief goes on from."""
        (epochs,) = from_chief(self._crew, [np.array(len(state.log))])
        log = np.zeros((int(epochs), len(fields(EpochLog))))
        if self._crew.is_chief and state.log:
            log = figures_of(state.log)
        groups = [state.weights, state.optimizer, state.best_weights, state.averaged]
        log, *arrays = from_chief(
            self._crew, [log, *(array for group in groups for array in group)]
        )
        rest = iter(arrays)
        return FitState(log_of(log), *(tuple(next(rest) for _ in group) for group in groups))

    def _seed_dropout(self, epoch: int) -> None:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                number = [str(self._crew.number)] if self._crew.number else []
                draws = np.random.SeedSequence(self._draws(epoch, "dropout", layer.name, *number))
                layer.seed_generator.state.assign(draws.generate_state(2))

    def _draws(self, epoch: int, *purpose: str) -> list[int]:
        """The entropy for one purpose in one epoch."""
        return [self._config.seed, epoch, *"/".join(purpose).encode()]

    def _weights(self) -> Arrays:
        return tuple(np.array(array) for array in self.model.get_weights())

    def _optimizer_arrays(self) -> Arrays:
        return tuple(np.array(variable.numpy()) for variable in self._optimizer.variables)
