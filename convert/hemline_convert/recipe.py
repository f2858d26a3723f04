"""How a network is quantized: the choices, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from hemline.card import ModelCard
from hemline.errors import UserError

CALIBRATION_METHODS = ("auto", "trained", "min-max", "percentile", "entropy", "mse")
GRANULARITIES = ("channel", "tensor")
ACTIVATION_BITS = (8, 16)


@dataclass(frozen=True)
class QuantizationRecipe:
    """A recipe for int8 weights and integer activations.

    Attributes:
        calibration: How an activation's range is chosen from what it did on the calibration pictures:
            `min-max`, `percentile`, `entropy` or `mse` (`hemline_convert.range_methods`); or `trained`, the
            ranges that `hemline train --qat` put into the model's card, which needs no pictures; or `auto`:
            `trained` where the card has ranges, else `min-max`.
        granularity: `channel` gives each filter of a convolution a scale of its own, and
            FULLY_CONNECTED one scale, since runtimes before LiteRT refuse more; `tensor` gives every
            operator one.
        activation_bits: 8 (asymmetric), or 16 (symmetric, as LiteRT's int16 kernels ask for).
        equalized: Whether channels are made alike in size first (`hemline_convert.equalization`).
        bias_corrected: Whether what rounded weights add on average is taken off the biases
            (`hemline_convert.bias_correction`); None: where pictures calibrate, and weights have a scale per
            channel. With one per layer it helped one of three networks and harmed two.
        float_layers: Keras layers that stay in float; the file is then called mixed, and not int8.
    """

    calibration: str = "auto"
    granularity: str = "channel"
    activation_bits: int = 8
    equalized: bool = False
    bias_corrected: bool | None = None
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("calibration method", self.calibration, CALIBRATION_METHODS)
        _one_of("granularity of the weights", self.granularity, GRANULARITIES)
        _one_of("number of activation bits", self.activation_bits, ACTIVATION_BITS)
        if self.equalized and self.calibration == "trained":
            raise UserError(
                "ranges that were trained do not fit channels that are equalized afterwards",
                "choose another calibration method, or no equalization",
            )

    def for_card(self, card: ModelCard) -> QuantizationRecipe:
        """The same with everything decided that is not stated."""
        calibration, corrected = self.calibration, self.bias_corrected
        if calibration == "auto":
            calibration = "trained" if card.activation_ranges else "min-max"
        if corrected is None:
            # Weights that were trained with their rounding need none, and it takes pictures.
            corrected = calibration != "trained" and self.granularity == "channel"
        return replace(self, calibration=calibration, bias_corrected=corrected)

    @property
    def kind(self) -> str:
        """What files of it are called: `int8` only if everything inside is."""
        if self.float_layers:
            return "mixed"
        return "int8" if self.activation_bits == 8 else "w8a16"

    @property
    def name(self) -> str:
        """As the LiteRT quantizer names its recipes."""
        return f"static_wi8_ai{self.activation_bits}"

    def to_json(self) -> dict[str, Any]:
        """The recipe as the card holds it."""
        return {"name": self.name, **asdict(self), "float_layers": list(self.float_layers)}


def _one_of(what: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise UserError(
            f"the {what} is {value!r}", f"it must be one of: {', '.join(map(str, allowed))}"
        )
