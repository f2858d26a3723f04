"""The model card: all that the runtime must know of a model, and it travels inside the model file.

In a `.tflite` file (and a `.keras` file) it is the zip member `hemline_card.json`; in an `.onnx` file
it is the property `hemline_card`. `hemline.modelfile` reads both.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from hemline.errors import CardError

CARD_FORMAT = 1
CARD_PROPERTY = "hemline_card"  # key among the metadata_props of an .onnx file

Color = Literal["gray", "rgb"]
Resize = Literal["pad", "stretch", "crop"]
Foreground = Literal["as-is", "light-on-dark", "garment"]
Output = Literal["logits", "probabilities"]

# Which kind of value the fields of a card have, in words too, and their names.
_KINDS: tuple[tuple[type | tuple[type, ...], str, tuple[str, ...]], ...] = (
    (str, "text", ("name", "version", "source_sha256", "golden_sha256", "network_sha256")),
    ((list, tuple), "a list", ("labels", "activation_ranges")),
    (dict, "an object", ("training", "quantization")),
)


@dataclass(frozen=True)
class InputSpec:
    """How a frame becomes the input tensor; `hemline.preprocess` does what is written here.

    Attributes:
        size_wh: Width and height of the input in pixels.
        color: `gray` (one channel) or `rgb` (three).
        resize: `pad` keeps the aspect and fills up with the colour of the border, `stretch` does
            not keep it, `crop` cuts the centre out.
        foreground: `as-is`, or `light-on-dark`: a picture with a bright border is inverted so that
            its border becomes black, as the makers of Fashion-MNIST did with their product photos;
            or `garment`, for grey input: in a colour photo the garment is looked for and laid on black
            (`hemline.garment`), every other picture is prepared as by `light-on-dark`.
    """

    size_wh: tuple[int, int]
    color: Color = "rgb"
    resize: Resize = "pad"
    foreground: Foreground = "as-is"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_wh", tuple(self.size_wh))
        if len(self.size_wh) != 2 or not all(
            isinstance(n, int) and 1 <= n <= 4096 for n in self.size_wh
        ):
            raise CardError(
                f"input size is {self.size_wh}",
                "it must be width and height, each from 1 to 4096",
            )
        _one_of("input colour", self.color, Color)
        _one_of("resize rule", self.resize, Resize)
        _one_of("foreground rule", self.foreground, Foreground)
        if self.foreground == "garment" and self.color != "gray":
            raise CardError(
                f"foreground rule is 'garment' and input colour is {self.color!r}",
                "a garment is cut out for grey input; take color 'gray', or another foreground rule",
            )

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.color == "gray" else 3

    @property
    def size_text(self) -> str:
        """Such as `28×28 gray`."""
        return f"{self.size_wh[0]}×{self.size_wh[1]} {self.color}"

    @property
    def tensor_shape(self) -> tuple[int, int, int, int]:
        """(1, height, width, channels)."""
        return (1, self.size_wh[1], self.size_wh[0], self.channels)


@dataclass(frozen=True)
class Normalization:
    """real = scale * (pixel - zero_point), where pixel is 0–255.

    Deployable files take the pixels as they are and do this inside; the figures are kept here for
    readers, and for models whose input is float32 or int8.
    """

    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if not self.scale > 0 or not 0 <= self.zero_point <= 255:
            raise CardError(
                f"normalization is scale {self.scale}, zero point {self.zero_point}",
                "the scale must be positive and the zero point from 0 to 255",
            )


@dataclass(frozen=True)
class ModelCard:
    """What a model is, what it takes, what it answers, and where it comes from.

    Attributes:
        name: Short name, also the stem of the file names.
        labels: One name per output, in order.
        input: How a frame becomes the input tensor.
        normalization: What pixel values mean to the network.
        version: Version of the model.
        temperature: The logits are divided by it before softmax.
        rejection_threshold: A top confidence below it is answered with `unknown`.
        training: What it was trained on and how well it did, with how many images.
        source_sha256: SHA-256 of the float `.keras` model that the file was made from.
        quantization: Recipe, calibration and versions; empty for a float source model.
        activation_ranges: Of a float model that was trained for int8: what each activation is quantized
            from and to, in the order of the operators (`hemline_convert.trained_ranges`); else empty.
        golden_sha256: Content hash of the golden pack that was written with it.
        network_sha256: Checksum of the network in the file (`hemline.integrity`); empty in cards that
            are in no file, and in files from before there was one.
        output: `logits`, or `probabilities` in a file for clients that show what the network gives: its
            graph ends in softmax, and the temperature is in it.
    """

    name: str
    labels: tuple[str, ...]
    input: InputSpec
    normalization: Normalization = field(default_factory=Normalization)
    version: str = "1"
    temperature: float = 1.0
    rejection_threshold: float = 0.0
    training: dict[str, Any] = field(default_factory=dict)
    source_sha256: str = ""
    quantization: dict[str, Any] = field(default_factory=dict)
    activation_ranges: tuple[dict[str, Any], ...] = ()
    golden_sha256: str = ""
    network_sha256: str = ""
    output: Output = "logits"

    def __post_init__(self) -> None:
        self._check_kinds()
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "activation_ranges", tuple(self.activation_ranges))
        if not self.name or "/" in self.name:
            raise CardError(f"the model's name is {self.name!r}", "give a name without slashes")
        if len(self.labels) < 2 or not all(isinstance(x, str) and x for x in self.labels):
            raise CardError(
                f"the card has {len(self.labels)} usable labels",
                "a classifier needs at least two labels, none of them empty",
            )
        if len(set(self.labels)) != len(self.labels):
            raise CardError("two labels of the card are the same", "each class needs its own name")
        if not self.temperature > 0:
            raise CardError(f"temperature is {self.temperature}", "it must be positive")
        if not 0 <= self.rejection_threshold <= 1:
            raise CardError(
                f"rejection threshold is {self.rejection_threshold}", "it must be from 0 to 1"
            )
        _one_of("output", self.output, Output)

    def _check_kinds(self) -> None:
        """JSON can hold anything in the place of anything, and what reads a field relies on its kind."""
        for kinds, words, names in _KINDS:
            for name in names:
                value = getattr(self, name)
                if not isinstance(value, kinds):
                    raise CardError(f"the card's {name} is {value!r}", f"it must be {words}")
        if not all(isinstance(entry, dict) for entry in self.activation_ranges):
            raise CardError(
                f"the card's activation_ranges are {self.activation_ranges!r}",
                "each must be an object",
            )

    def to_json(self) -> str:
        """The card as indented JSON, the same text for the same card."""
        content = {"format": CARD_FORMAT, **dataclasses.asdict(self)}
        # As it was before there were these: the same card, the same text.
        for name, default in (
            ("network_sha256", ""),
            ("activation_ranges", ()),
            ("output", "logits"),
        ):
            if content[name] == default:
                del content[name]
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card.

        Raises:
            CardError: The text is no JSON, no card, or of a newer format.
        """
        try:
            content = json.loads(text)
            # What Python's JSON reads and nobody can write again: NaN, infinity, halves of a character.
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
            if content["format"] != CARD_FORMAT:
                raise CardError(
                    f"the card is of format {content['format']!r}, this hemline reads {CARD_FORMAT}",
                    "update hemline, or convert the model again",
                )
            known = {f.name for f in dataclasses.fields(cls)}
            values = {key: value for key, value in content.items() if key in known}
            values["input"] = InputSpec(**content["input"])
            values["normalization"] = Normalization(**content["normalization"])
            return cls(**values)
        except RecursionError as error:
            raise CardError(
                "the model card cannot be read: it is nested too deeply",
                "convert the model again; the card is written by hemline convert",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CardError(
                f"the model card cannot be read: {type(error).__name__}: {error}",
                "convert the model again; the card is written by hemline convert",
            ) from error

    def replace(self, **changes: Any) -> ModelCard:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def _one_of(what: str, value: str, allowed: Any) -> None:
    names = allowed.__args__
    if value not in names:
        raise CardError(f"{what} is {value!r}", f"it must be one of: {', '.join(names)}")
