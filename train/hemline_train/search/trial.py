"""One trial: a network is drawn, trained unless it exceeds a limit, quantized, and measured."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from hemline import atomic
from hemline.backends.litert import LiteRtBackend
from hemline.bench import BenchConfig, measure_models
from hemline.card import ModelCard, Normalization
from hemline_convert import tflite_file
from hemline_train._tensorflow import keras, make_deterministic
from hemline_train.architecture_file import Architecture
from hemline_train.architectures import build_design, multiply_accumulates
from hemline_train.config import TrainingConfig
from hemline_train.evaluation import score_logits
from hemline_train.fit_state import FitState
from hemline_train.fitting import Fitting, TrainingDivergedError
from hemline_train.images import TrainingImages
from hemline_train.int8_file import answers_of, int8_network
from hemline_train.search import study as keys
from hemline_train.search.halving import Course, is_hopeless
from hemline_train.search.settings import SearchSettings
from hemline_train.search.space import draw_architecture

_BENCH_FRAMES = 200
Report = Callable[[str], None]


@dataclass
class Trials:
    """Makes the trials of a study.

    Attributes:
        study: The study.
        settings: What is searched.
        images: Training and validation images; there are no test images among them.
        report: Takes a line about each trial.
        latest_was_trained: Whether the latest was not too large.
    """

    study: optuna.Study
    settings: SearchSettings
    images: TrainingImages
    report: Report
    latest_was_trained: bool = False

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        """Do a trial, as Optuna asks for it.

        Returns:
            Accuracy of the int8 file on the validation images, and its bytes where a front is looked for.

        Raises:
            TrialPruned: The network exceeds a limit, or is stopped because it will come to nothing.
            UserError: Nothing can be trained or measured here.
        """
        settings = self.settings
        self.latest_was_trained = False
        self.study.sampler = keys.sampler(settings.seed, trial.number)
        name = f"{settings.study}-{trial.number}"
        architecture = draw_architecture(trial, settings.family, name, settings.batch_size)
        trial.set_user_attr(keys.ARCHITECTURE, architecture.to_json())
        config = self._config(architecture, trial.number)
        keras.backend.clear_session()
        make_deterministic(config.seed)
        shape, classes = config.input.tensor_shape[1:], len(self.images.labels)
        model = build_design(architecture.design, shape, classes, name)
        card = self._card(config)
        self._must_keep_within(trial, model, card)
        self.latest_was_trained = True
        accuracy = self._trained(trial, model, config)
        trial.set_user_attr(keys.FLOAT_ACCURACY, accuracy)
        int8_accuracy, file_bytes, latency_ms = self._measured(model, card)
        trial.set_user_attr(keys.INT8_ACCURACY, int8_accuracy)
        trial.set_user_attr(keys.FILE_BYTES, file_bytes)
        trial.set_user_attr(keys.LATENCY_MS, latency_ms)
        trial.set_user_attr(keys.MEASURED_ON, platform.node())
        self._must_be_small_enough(trial, file_bytes)
        self.report(
            f"trial {trial.number}: validation accuracy {accuracy:.4f}, as int8 {int8_accuracy:.4f}, "
            f"{file_bytes:,} bytes, {latency_ms:.3f} ms"
        )
        return (int8_accuracy, file_bytes) if settings.objective == "front" else int8_accuracy

    def _config(self, architecture: Architecture, number: int) -> TrainingConfig:
        state = np.random.SeedSequence([self.settings.seed, number, 1]).generate_state(1)
        return TrainingConfig(
            arch=architecture.name,
            architecture=architecture,
            data=self.settings.data,
            epochs=self.settings.epochs,
            batch_size=self.settings.batch_size,
            patience=0,
            learning_rate=architecture.recipe.optimization.learning_rate,
            seed=int(state[0]),
        )

    def _card(self, config: TrainingConfig) -> ModelCard:
        return ModelCard(
            name=config.name,
            labels=self.images.labels,
            input=config.input,
            normalization=Normalization(scale=1 / 255, zero_point=0),
        )

    def _must_keep_within(self, trial: optuna.Trial, model: Any, card: ModelCard) -> None:
        """Nothing that exceeds a limit is trained."""
        limits = self.settings.limits
        parameters, macs = model.count_params(), multiply_accumulates(model)
        trial.set_user_attr(keys.PARAMETERS, parameters)
        trial.set_user_attr(keys.MACS, macs)
        # Above 0 is too much: what is drawn next keeps away from there.
        trial.set_constraint(keys.PARAMETERS, parameters / limits.parameters - 1)
        trial.set_constraint(keys.MACS, macs / limits.macs - 1)
        why = limits.exceeded_by(parameters, macs)
        if why:
            self._stop(trial, f"not trained, it has {why}")
        self.report(
            f"trial {trial.number}: {parameters:,} parameters, {macs:,} multiply-accumulates"
        )
        if limits.file_bytes is not None:  # weights do not change the size of the file
            file_bytes = len(self._int8_file(model, card))
            trial.set_user_attr(keys.FILE_BYTES, file_bytes)
            trial.set_constraint(keys.FILE_BYTES, file_bytes / limits.file_bytes - 1)
            self._must_be_small_enough(trial, file_bytes)

    def _must_be_small_enough(self, trial: optuna.Trial, file_bytes: int) -> None:
        allowed = self.settings.limits.file_bytes
        if allowed is not None and file_bytes > allowed:
            self._stop(trial, f"its int8 file has {file_bytes:,} bytes, above {allowed:,}")

    def _trained(self, trial: optuna.Trial, model: Any, config: TrainingConfig) -> float:
        """Accuracy on the validation images of the network in float, trained."""
        fitting = Fitting(model, config, self.images.train, self.images.splits["validation"])

        def after_epoch(state: FitState) -> None:
            accuracies = tuple(float(row.validation_accuracy or 0) for row in state.log)
            trial.set_user_attr(keys.ACCURACIES, accuracies)
            course = Course(model.count_params(), accuracies)
            by_size = self.settings.objective == "front"
            if is_hopeless(course, self._others(trial.number), config.epochs, by_size):
                self._stop(
                    trial,
                    f"stopped after epoch {len(state.log)} at a validation accuracy of "
                    f"{accuracies[-1]:.4f}: half of the others are better",
                )

        try:
            state = fitting.run(fitting.start(), after_epoch)
        except TrainingDivergedError as error:
            self._stop(trial, error.problem)
        return float(state.log[-1].validation_accuracy or 0)

    def _others(self, number: int) -> list[Course]:
        return [
            Course(other.user_attrs[keys.PARAMETERS], tuple(other.user_attrs[keys.ACCURACIES]))
            for other in self.study.get_trials(deepcopy=False)
            if other.number != number and keys.ACCURACIES in other.user_attrs
        ]

    def _int8_file(self, model: Any, card: ModelCard) -> bytes:
        return tflite_file.described(int8_network(model, card, self.images), card)

    def _measured(self, model: Any, card: ModelCard) -> tuple[float, int, float]:
        """Accuracy of the int8 file on the validation images, its bytes, milliseconds of an inference."""
        content = self._int8_file(model, card)
        validation = self.images.splits["validation"]
        logits = answers_of(
            LiteRtBackend(f"{card.name}_int8.tflite", content, 1), validation.pixels
        )
        score = score_logits(logits, validation.targets)
        with tempfile.TemporaryDirectory(prefix="hemline-search-") as folder:
            path = Path(folder) / f"{card.name}_int8.tflite"
            atomic.write_bytes(path, content)
            bench = BenchConfig(models=(str(path),), num_runs=_BENCH_FRAMES, starts=0)
            latency_ms = measure_models(bench).models[0].stages["inference"].p50
        return score.accuracy, len(content), latency_ms

    def _stop(self, trial: optuna.Trial, why: str) -> None:
        trial.set_user_attr(keys.WHY, why)
        self.report(f"trial {trial.number}: {why}")
        raise optuna.TrialPruned(why)
