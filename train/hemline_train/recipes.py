"""What each architecture recommends: its input, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hemline.card import InputSpec
from hemline.errors import UserError


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name} of a recipe is {value}", f"it must be from {low} to {high}")


@dataclass(frozen=True)
class Augmentation:
    """What is done to the pictures of a step before the network sees them, on their own pixels.

    Attributes:
        flip: Mirror every second picture, on average.
        max_shift_px: Shift each by up to so many pixels to each side.
        erased: Share of the pictures in which a rectangle is filled with noise (random erasing,
            Zhong et al., 2017, arXiv:1708.04896).
        mixed: Share of the pictures in which a rectangle is that of another picture, whose class then
            counts by its area (CutMix, Yun et al., 2019, arXiv:1905.04899).
        trembling: Where there is a teacher, show the network every second picture, on average, as a camera in
            the hand has it a moment later: moved, nearer and lighter by up to this share, turned by up to so
            many radians. The teacher sees all as they were, so the network learns to answer frames of one
            scene alike.

    Raises:
        UserError: A value is out of range.
    """

    flip: bool = False
    max_shift_px: int = 0
    erased: float = 0.0
    mixed: float = 0.0
    trembling: float = 0.0

    def __post_init__(self) -> None:
        _within("max_shift_px", self.max_shift_px, 0, 4096)
        _within("erased", self.erased, 0, 1)
        _within("mixed", self.mixed, 0, 1)
        _within("trembling", self.trembling, 0, 0.5)


@dataclass(frozen=True)
class Optimization:
    """How the weights are changed.

    Attributes:
        optimizer: `adam`, or `sgd` with Nesterov momentum of 0.9.
        learning_rate: The highest of the schedule.
        schedule: `constant`; or `one-cycle`, which rises for the first `warm_up` of all steps and then
            falls to almost nothing, both as half a cosine (Smith and Topin, 2017, arXiv:1708.07120).
        warm_up: Share of the steps in which the rate rises.
        weight_decay: Pulls kernels, not biases or batch normalization, towards zero: this times the
            kernel is added to its gradient.
        averaging: The weights that are kept are a moving average over the steps with this decay; 0
            keeps those of the last step.

    Raises:
        UserError: A value is out of range; the learning rate is checked where a run is set.
    """

    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 0.001
    schedule: Literal["constant", "one-cycle"] = "constant"
    warm_up: float = 0.2
    weight_decay: float = 0.0
    averaging: float = 0.0

    def __post_init__(self) -> None:
        _within("warm_up", self.warm_up, 0, 0.99)
        _within("weight_decay", self.weight_decay, 0, 1)
        _within("averaging", self.averaging, 0, 0.999999)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained by default.

    Attributes:
        summary: One line for the help text.
        input: What its input is, and how a picture becomes it.
        augmentation: Of training images.
        optimization: Optimizer, schedule, averaging.
        epochs: At most so many.
        batch_size: Images per step.
        patience: Epochs without a better validation loss after which training ends and the best
            weights are restored; 0 trains all epochs and keeps the last weights.
        dropout: Share of the last hidden layer that is dropped in training; 0 for no such layer.
        label_smoothing: Share of the target that is spread over all classes.
        data: The data set by default.
        photos: Whether the images of an epoch are made anew of photos (`hemline_train.wardrobe`).
        worn: Share of the images that are made to look like garments cut out of photos
            (`hemline_train.garment_images`).

    Raises:
        UserError: A share is out of range.
    """

    summary: str
    input: InputSpec
    augmentation: Augmentation
    optimization: Optimization
    epochs: int
    batch_size: int
    patience: int = 0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    data: str = "fashion-mnist"
    photos: bool = False
    worn: float = 0.0

    def __post_init__(self) -> None:
        _within("dropout", self.dropout, 0, 0.99)
        _within("label_smoothing", self.label_smoothing, 0, 0.99)
        _within("worn", self.worn, 0, 1)


_GARMENT_ON_BLACK = InputSpec((28, 28), "gray", "pad", "light-on-dark")  # as in Fashion-MNIST

# Of the residual and dense networks, which are trained long, in one falling sweep.
_LONG = Optimization("sgd", 0.1, "one-cycle", weight_decay=3e-4, averaging=0.998)

# Of `--backbone`: the width of a MobileNetV2, and what it is trained on with.
BACKBONE_ALPHAS = {
    "mobilenet-v2-0.35": 0.35,
    "mobilenet-v2-0.5": 0.5,
    "mobilenet-v2-0.75": 0.75,
    "mobilenet-v2-1.0": 1.0,
}
# The smallest that there are weights for.
BACKBONE_INPUT = InputSpec((96, 96), "rgb", "pad", "as-is")
BACKBONE_LEARNING_RATE = 0.01  # the weights are good already
BACKBONE_EPOCHS = 30

_RESIDUAL = Recipe(
    "a residual network of thirteen convolutions",
    _GARMENT_ON_BLACK,
    Augmentation(flip=True, max_shift_px=2, erased=0.25),
    _LONG,
    label_smoothing=0.05,
    epochs=60,
    batch_size=128,
)

# Of networks so small that they learn too little rather than by heart.
_SMALL = replace(
    _RESIDUAL,
    augmentation=Augmentation(flip=True, max_shift_px=1),
    optimization=replace(_LONG, weight_decay=1e-4),
    label_smoothing=0.0,
)

_WARDROBE = Recipe(
    "a residual network for photos in colour, which also learns what is no garment",
    InputSpec((64, 64), "rgb", "pad", "as-is"),
    Augmentation(trembling=0.04),  # all else is done to its pictures as they are made
    Optimization("sgd", 0.05, "one-cycle", weight_decay=5e-4, averaging=0.998),
    label_smoothing=0.05,
    epochs=150,
    batch_size=64,
    data="wardrobe",
    photos=True,
)

RECIPES = {
    "initial": Recipe(
        "the paper's network with no measure against overfitting",
        _GARMENT_ON_BLACK,
        Augmentation(),
        Optimization(),
        epochs=20,
        batch_size=32,
    ),
    "optimized": Recipe(
        "the same with augmentation, dropout and early stopping",
        _GARMENT_ON_BLACK,
        Augmentation(flip=True, max_shift_px=2),
        Optimization(),
        dropout=0.4,
        epochs=60,
        batch_size=64,
        patience=8,
    ),
    "resnet": _RESIDUAL,
    "resnet-10kb": replace(_SMALL, summary="one whose int8 file has at most 10 kB"),
    "resnet-25kb": replace(_SMALL, summary="at most 25 kB"),
    "resnet-50kb": replace(_SMALL, summary="at most 50 kB"),
    "densenet": replace(_RESIDUAL, summary="a densely connected network with bottlenecks"),
    "compact": replace(
        _RESIDUAL,
        summary="the same as resnet, for the camera too: the garment is found in a photo and put on black",
        input=InputSpec((28, 28), "gray", "pad", "garment"),
        # Its size limits it, not what it learns by heart: with more of this it names fewer of the very
        # images that it was trained on.
        augmentation=Augmentation(flip=True, max_shift_px=1),
        optimization=replace(_LONG, weight_decay=1e-4),
        epochs=120,  # students of a consistent teacher go on learning for long (arXiv:2106.05237)
        data="wardrobe",
        worn=0.1,  # more costs accuracy on Fashion-MNIST, and photos gain nothing
    ),
    "teacher": Recipe(
        "a wide residual network, for compact to be distilled from; too large for the edge",
        InputSpec((28, 28), "gray", "pad", "garment"),
        Augmentation(flip=True, max_shift_px=1, erased=0.25),
        Optimization("sgd", 0.1, "one-cycle", weight_decay=5e-4, averaging=0.998),
        # No smoothing: it hides which wrong classes are near (Müller et al., 2019, arXiv:1906.02629).
        epochs=45,
        batch_size=128,
        data="wardrobe",
        worn=0.1,
    ),
    "wardrobe": _WARDROBE,
    "wardrobe-teacher": replace(
        _WARDROBE,
        summary="a wide and deep one, for wardrobe to be distilled from; too large for the edge",
        augmentation=Augmentation(),
        label_smoothing=0.0,  # as in teacher
        epochs=60,
    ),
}
