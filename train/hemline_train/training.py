"""A training run from the images to the finished run folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hemline import atomic
from hemline.errors import UserError
from hemline_train._tensorflow import make_deterministic
from hemline_train.architectures import build_design, build_network
from hemline_train.backbones import build_on_backbone
from hemline_train.config import Settings, TrainingConfig
from hemline_train.distillation import Teacher, load_teachers
from hemline_train.distribution import Crew
from hemline_train.evaluation import Forward, score_logits
from hemline_train.fit_state import EpochLog, FitState
from hemline_train.fitting import Fitting
from hemline_train.garment_images import load_garment_images
from hemline_train.images import EpochImages, Images, TrainingImages, load_images
from hemline_train.joining import join, must_train_the_same
from hemline_train.judgement import fit_judgement
from hemline_train.layer_kernels import gains_from_bfloat16
from hemline_train.model_file import save_model
from hemline_train.outcome import Scores, TrainingResult, make_card, write_evaluation
from hemline_train.qat import QatSubject
from hemline_train.qat_config import QatConfig
from hemline_train.run_folder import RunFolder, new_run_folder, open_run_folder, versions
from hemline_train.wardrobe.training_images import load_photo_images

Report = Callable[[str], None]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C came during training; the run can be resumed.

    Attributes:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"training was interrupted; resume {folder}")
        self.folder = folder


def report_to_stderr(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


def train(config: Settings, report: Report = report_to_stderr) -> TrainingResult:
    """Train a network, or train one on for int8 (`QatConfig`), and write the run folder.

    Seeds Python, NumPy and Keras and switches TensorFlow to deterministic kernels, for the rest of
    the process.

    Args:
        config: Settings of the run.
        report: Called with one line of progress per epoch.

    Raises:
        UserError: The data cannot be trained on, the folder cannot be written to, training diverged, or
            processes that train together (`TF_CONFIG`) cannot.
        TrainingInterrupted: Ctrl-C; `resume` continues the run.
    """
    crew = join(config, writes=True)
    images = _load(config)
    _images_to_fit(config, images)  # what cannot be trained on leaves no folder
    teacher = _teacher(config, images)
    must_train_the_same(crew, config, images)
    folder = new_run_folder(config, images.sha256)
    report(f"run folder {folder.path}")
    report(f"{config.name} on {config.data}, at most {config.epochs} epochs")
    return _run(config, images, teacher, folder, None, report, crew)


def resume(
    folder: str | Path, data: str | None = None, report: Report = report_to_stderr
) -> TrainingResult:
    """Continue a run that was stopped or killed; it ends as if it had not been.

    Args:
        folder: The folder of the run.
        data: Where its data is now, if not where it was.
        report: As in `train`.

    Raises:
        UserError: As in `train`; and the folder is no run, the run is finished, or its data has
            changed.
        TrainingInterrupted: As in `train`.
    """
    run_folder, config, data_sha256 = open_run_folder(Path(folder))
    config = replace(config, data=data or config.data)
    crew = join(config, writes=True)
    images = _load(config)
    if images.sha256 != data_sha256:
        raise UserError(
            f"the images of {config.data} are not those that the run {folder} was begun with",
            "name the right data set with --data, or start a new run without --resume",
        )
    state = run_folder.load_progress()
    done = len(state.log) if state else 0
    report(f"run folder {run_folder.path}, resumed after epoch {done}")
    if run_folder.has_other_versions():
        report("note: it was begun with other versions, the last digits may differ: versions.json")
    teacher = _teacher(config, images)
    must_train_the_same(crew, config, images)
    return _run(config, images, teacher, run_folder, state, report, crew)


def assist(config: Settings) -> None:
    """Take part in a training as one of the processes of `TF_CONFIG` that write nothing.

    The first of them is the chief, which calls `train` or `resume` with the same settings.

    Args:
        config: Settings of the run.

    Raises:
        UserError: As in `train`; and this process is the chief, or the chief is gone.
    """
    crew = join(config, writes=False)
    images = _load(config)
    teacher = _teacher(config, images)
    must_train_the_same(crew, config, images)
    make_deterministic(config.seed)
    fitting = _fitting(_subject(config, images), config, images, teacher, crew)
    fitting.run(fitting.start(), lambda _: None)


def _run(
    config: Settings,
    images: TrainingImages,
    teacher: Teacher | None,
    folder: RunFolder,
    state: FitState | None,
    report: Report,
    crew: Crew,
) -> TrainingResult:
    try:
        make_deterministic(config.seed)
        subject = _subject(config, images)
        before: Scores = {}
        if isinstance(subject, QatSubject):
            before = _scores(subject.network, config, images)
            accuracy = before["validation"].accuracy
            report(f"validation accuracy as int8 before this training: {accuracy:.4f}")
        fitting = _fitting(subject, config, images, teacher, crew)
        if config.in_bfloat16 and not gains_from_bfloat16(subject.network.layers):
            report(
                "note: it has convolutions to fewer than 16 channels, which bfloat16 would slow down: "
                "--bfloat16 is for its teachers only"
            )

        def after_epoch(state: FitState) -> None:
            folder.save_progress(state)
            report(_epoch_line(state.log, config))

        state = fitting.run(state or fitting.start(), after_epoch)
        return _finish(config, images, folder, subject, before, state)
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(folder.path) from error


@dataclass(frozen=True)
class _FloatSubject:
    """What a training from the start trains."""

    model: Any

    @property
    def network(self) -> Any:
        """What is fitted: the model itself."""
        return self.model

    @property
    def float_network(self) -> Any:
        """What is scored: the same."""
        return self.model


def _fitting(
    subject: _FloatSubject | QatSubject,
    config: Settings,
    images: TrainingImages,
    teacher: Teacher | None,
    crew: Crew,
) -> Fitting:
    return Fitting(
        subject.network,
        config,
        *_images_to_fit(config, images),
        groups=images.groups,
        teacher=teacher,
        also=subject.float_network if isinstance(subject, QatSubject) else None,
        crew=crew,
    )


def _subject(config: Settings, images: TrainingImages) -> _FloatSubject | QatSubject:
    if isinstance(config, QatConfig):
        return QatSubject(config, images)
    assert isinstance(config, TrainingConfig)
    classes, own = len(images.labels), config.architecture
    if config.backbone:
        model = build_on_backbone(config.backbone, config.input, classes, config.name)
        return _FloatSubject(model)
    if own:
        shape = own.recipe.input.tensor_shape[1:]
        return _FloatSubject(build_design(own.design, shape, classes, own.name))
    return _FloatSubject(build_network(config.arch, classes))


def _load(config: Settings) -> TrainingImages:
    if config.photos:
        nothing = config.nothing if isinstance(config, TrainingConfig) else ()
        return load_photo_images(
            config.data, config.input, config.batch_size, config.seed, nothing=nothing
        )
    if config.worn:
        return load_garment_images(config.data, config.input, config.worn, config.seed)
    return load_images(config.data, config.input, config.batch_size)


def _images_to_fit(config: Settings, images: TrainingImages) -> tuple[EpochImages, Images | None]:
    """What is trained on and what is validated on."""
    if not config.all_images:
        return images.train, images.splits["validation"]
    if images.evaluation_split == "validation":
        raise UserError(
            f"{config.data} has no test split, so once the validation images are trained on nothing "
            "tells how good the network is",
            "leave --with-validation out, or give the data set a test split",
        )
    joined = images.train.joined(images.splits["validation"])
    if images.nothing and not _judged_by(config, images):
        raise UserError(
            "once the validation images are trained on, none are left to fit temperature and threshold by",
            "leave --with-validation out, or train on --data wardrobe, whose photos are held out too",
        )
    return joined, None


def _judged_by(config: Settings, images: TrainingImages) -> tuple[str, ...]:
    """Validation splits that are not trained on: temperature and threshold are fitted on them."""
    names = (name for name in images.splits if name.startswith("validation"))
    return tuple(name for name in names if not (config.all_images and name == "validation"))


def _teacher(config: Settings, images: TrainingImages) -> Teacher | None:
    teachers = config.teachers if isinstance(config, TrainingConfig) else ()
    if not teachers:
        return None
    return load_teachers(teachers, images, config.input, config.in_bfloat16)


def _scores(network: Any, config: Settings, images: TrainingImages) -> Scores:
    """Of each split; of the validation images only where they were not trained on."""
    forward = Forward(network)
    return {
        name: score_logits(forward(split.pixels), split.targets, images.groups)
        for name, split in images.splits.items()
        if not (config.all_images and name == "validation")
    }


def _finish(
    config: Settings,
    images: TrainingImages,
    folder: RunFolder,
    subject: _FloatSubject | QatSubject,
    before: Scores,
    state: FitState,
) -> TrainingResult:
    """Evaluate once, and write what belongs to the model; the model itself comes last."""
    scores = _scores(subject.float_network, config, images)
    int8_scores: Scores = {}
    ranges: tuple[dict[str, Any], ...] = ()
    if isinstance(subject, QatSubject):
        int8_scores, ranges = _scores(subject.network, config, images), subject.card_entry()
    parameters = subject.model.count_params()
    card = make_card(config, images, state, parameters, scores, int8_scores, ranges)
    if config.in_bfloat16 and gains_from_bfloat16(subject.network.layers):
        card = card.replace(training={**card.training, "bfloat16": True})
    if images.nothing:
        unseen = {name: images.splits[name] for name in scores}
        judged = replace(images, splits=unseen)
        card, int8_scores = fit_judgement(subject.model, card, judged, _judged_by(config, images))
        figures = {name: score.summary() for name, score in int8_scores.items()}
        card = card.replace(training={**card.training, "int8_metrics": figures})
    result = TrainingResult(
        folder=folder.path,
        card=card,
        scores=scores,
        evaluation_split=images.evaluation_split,
        epochs=len(state.log),
        best_epoch=state.best_epoch(config),
        best_by=config.best_by,
        data=config.data,
        int8_scores=int8_scores,
        int8_scores_before=before,
    )
    write_evaluation(result, state, images)
    folder.write_json("versions.json", versions())
    atomic.write_text(folder.path / "card.json", card.to_json())
    save_model(folder.model, subject.model, card)
    folder.remove_progress()
    return result


def _epoch_line(log: tuple[EpochLog, ...], config: Settings) -> str:
    row = log[-1]
    seconds_left = (config.epochs - row.epoch) * sum(r.seconds for r in log) / len(log)
    at_most = "at most " if config.patience else ""
    validated = ""
    if row.validation_loss is not None:
        validated = (
            f"  validation accuracy {row.validation_accuracy:.4f}  loss {row.validation_loss:.4f}"
        )
    left = f"  {at_most}{_duration(seconds_left)} left" if row.epoch < config.epochs else ""
    return (
        f"epoch {row.epoch:>{len(str(config.epochs))}}/{config.epochs}"
        f"  accuracy {row.training_accuracy:.4f}  loss {row.training_loss:.4f}"
        f"{validated}  {row.seconds:.1f} s{left}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
