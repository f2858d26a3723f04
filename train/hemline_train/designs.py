"""Sizes of the residual and dense networks; `hemline_train.architectures` builds them."""

from __future__ import annotations

from dataclasses import dataclass

from hemline.errors import UserError

_MAX_SIZE = 4096  # of anything; more is a slip of the hand


def _sizes(name: str, *values: object) -> None:
    for value in values or (None,):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_SIZE:
            raise UserError(
                f"{name} of a design is or has {value!r}",
                f"it must be a whole number from 1 to {_MAX_SIZE}, one or more of them for the stages",
            )


@dataclass(frozen=True)
class ResidualDesign:
    """Size of a residual network.

    Attributes:
        stem: Channels of the first convolution.
        widths: Channels of each stage; each stage but the first halves height and width.
        blocks: Residual blocks, of two convolutions each, of each stage.
        stem_stride: 2 halves height and width at once.

    Raises:
        UserError: A size is out of range.
    """

    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    stem_stride: int = 1

    def __post_init__(self) -> None:
        _sizes("stem", self.stem)
        _sizes("widths", *self.widths)
        _sizes("blocks", *self.blocks)
        if len(self.widths) != len(self.blocks):
            raise UserError(
                f"a residual design has {len(self.widths)} widths and {len(self.blocks)} numbers of blocks",
                "each stage has one of each",
            )
        if self.stem_stride not in (1, 2):
            raise UserError(f"stem_stride is {self.stem_stride!r}", "it must be 1 or 2")


@dataclass(frozen=True)
class DenseDesign:
    """Size of a densely connected network.

    Attributes:
        stem: Channels of the first convolution.
        growth: Channels that each block adds.
        bottleneck: The 1×1 convolution of a block has this times `growth` channels.
        blocks: Of each stage; between stages, channels, height and width are halved.

    Raises:
        UserError: A size is out of range.
    """

    stem: int
    growth: int
    bottleneck: int
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("stem", "growth", "bottleneck"):
            _sizes(name, getattr(self, name))
        _sizes("blocks", *self.blocks)


Design = ResidualDesign | DenseDesign

# Deep where pictures are large and narrow where they are small: of networks with as many parameters, more
# multiply-accumulates and, as int8, a file below 110 kB.
_WITHIN_THE_PAPERS_SIZE = ResidualDesign(16, (16, 32, 44), (2, 3, 1))

DESIGNS: dict[str, Design] = {
    "resnet": _WITHIN_THE_PAPERS_SIZE,
    "compact": _WITHIN_THE_PAPERS_SIZE,
    "resnet-10kb": ResidualDesign(6, (6, 8), (1, 1)),
    "resnet-25kb": ResidualDesign(8, (8, 16, 20), (2, 1, 1)),
    "resnet-50kb": ResidualDesign(16, (16, 24, 32), (2, 1, 1)),
    "densenet": DenseDesign(16, 10, 3, (3, 7, 8)),
    "wardrobe": ResidualDesign(16, (16, 32, 64, 104), (1, 2, 1, 1), stem_stride=2),
    "wardrobe-teacher": ResidualDesign(32, (32, 64, 128, 224), (1, 2, 2, 2), stem_stride=2),
    "teacher": ResidualDesign(32, (32, 64, 128), (1, 2, 2)),
}
