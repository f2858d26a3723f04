"""The golden pack: pictures with the tensors and scores that they must give, on whatever machine.

It is written where the model is made and read where the model runs. With it a Raspberry Pi can
check the way from the picture file to the label without TensorFlow and without the data set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hemline import atomic
from hemline.card import InputSpec, ModelCard
from hemline.errors import CardError, UserError
from hemline.images import decode_for, decode_image
from hemline.parity._npz import npz_bytes, read_npz
from hemline.parity.fingerprint import GRID, Fingerprints
from hemline.parity.metrics import UNKNOWN
from hemline.preprocess import Frame

PACK_FORMAT = 2
_WITHOUT_FINGERPRINTS = (
    1  # the format of packs that do not tell what was decoded; they are read as well
)
PACK_SUFFIX = ".golden.npz"
MAX_PICTURE_BYTES = 64 * 1024 * 1024
_KIND = "golden pack"
_WRITE_ANEW = f"a {_KIND} is written by hemline convert; write it anew"


class PictureSource(Protocol):
    """What a pack is made from; a `hemline.datasets.Split` is one."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """int64, (N,): the true class of each picture."""

    @property
    def labels(self) -> Sequence[str]:
        """The class names that `targets` counts."""

    def encoded(self, index: int) -> bytes:
        """The picture file."""

    def source(self, index: int) -> str:
        """What the picture is called."""


@dataclass(frozen=True, eq=False)
class GoldenPack:
    """Pictures, and what the float reference makes of them.

    Attributes:
        pictures: The picture files (PNG, JPEG, …), N of them.
        names: N names, for messages and reports.
        tensors: uint8, (N, H, W, C), 0–255: the pictures after preprocessing.
        scores: float32, (N, classes): logits of the float reference on `tensors`.
        targets: int64, (N,): the true class among the card's labels, −1 if not known.
        card: The reference's card.
        decoded: What the pictures were decoded to; None in a pack of format 1.

    Raises:
        UserError: Shapes, types or lengths do not fit each other, or a score is NaN or infinite.
    """

    pictures: tuple[bytes, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    tensors: NDArray[np.uint8] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)
    targets: NDArray[np.int64] = field(repr=False)
    card: ModelCard
    decoded: Fingerprints | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.pictures)

    @classmethod
    def build(
        cls,
        split: PictureSource,
        indices: Sequence[int] | NDArray[np.integer],
        card: ModelCard,
        scores: NDArray[np.float32],
        tensors: NDArray[np.uint8],
    ) -> GoldenPack:
        """Take pictures out of a split, as many of `indices` as fit in `MAX_PICTURE_BYTES`: 64 MiB.

        Args:
            split: Where the pictures and the truth are; class names that the card does not have
                count as unknown truth.
            indices: Which pictures of the split, in order.
            card: The reference's card.
            scores: float32, (len(indices), classes): the reference's logits on `tensors`.
            tensors: uint8, (len(indices), H, W, C): the pictures after preprocessing.

        Returns:
            The pack; `len()` of it says how many pictures it took, the first ones of `indices`.

        Raises:
            UserError: Not even one picture fits, or the arrays do not fit each other.
        """
        if len(scores) != len(indices) or len(tensors) != len(indices):
            raise UserError(
                f"{len(indices)} pictures, {len(tensors)} tensors and {len(scores)} rows of scores "
                f"cannot become a {_KIND}",
                "give one tensor and one row of scores for each picture",
            )
        pictures: list[bytes] = []
        size = 0
        for index in indices:
            picture = split.encoded(int(index))
            size += len(picture)
            if size > MAX_PICTURE_BYTES:
                break
            pictures.append(picture)
        taken = [int(index) for index in indices[: len(pictures)]]
        names = tuple(split.source(i) for i in taken)
        class_of = {label: k for k, label in enumerate(card.labels)}
        truth = [class_of.get(split.labels[int(split.targets[i])], UNKNOWN) for i in taken]
        return cls(
            pictures=tuple(pictures),
            names=names,
            tensors=np.array(tensors[: len(taken)]),
            scores=np.array(scores[: len(taken)]),
            targets=np.array(truth, np.int64),
            card=card,
            decoded=Fingerprints.of(
                decode_for(picture, name, card.input)[0]
                for picture, name in zip(pictures, names, strict=True)
            ),
        )

    def save(self, path: Path) -> None:
        """Write the pack, compressed; the same pack gives the same bytes, whenever and wherever.

        Raises:
            UserError: The file cannot be written; an existing one is unchanged.
        """
        atomic.write_bytes(path, npz_bytes({**self._arrays, "card": _text(self.card.to_json())}))

    @classmethod
    def load(cls, path: Path) -> GoldenPack:
        """Read a pack. Nothing in the file is trusted.

        Raises:
            UserError: The file is missing, damaged, cut off, no pack, or of a newer format.
        """
        arrays = read_npz(path, _KIND)
        try:
            pack_format = int(arrays["format"])
            if pack_format not in (_WITHOUT_FINGERPRINTS, PACK_FORMAT):
                raise UserError(
                    f"the {_KIND} is of format {pack_format}, "
                    f"this hemline reads {_WITHOUT_FINGERPRINTS} and {PACK_FORMAT}",
                    "update hemline, or write the pack anew with hemline convert",
                )
            return cls(
                pictures=_cut(arrays["pictures"], arrays["offsets"]),
                names=tuple(json.loads(arrays["names"].tobytes())),
                tensors=arrays["tensors"],
                scores=arrays["scores"],
                targets=arrays["targets"],
                card=ModelCard.from_json(arrays["card"].tobytes()),
                decoded=_fingerprints(arrays) if pack_format == PACK_FORMAT else None,
            )
        except (CardError, KeyError, TypeError, ValueError, RecursionError) as error:
            missing = isinstance(error, KeyError)
            raise UserError(
                f"{path} is no {_KIND}: {f'it has no array {error}' if missing else error}",
                f"a {_KIND} is written by hemline convert",
            ) from error
        except UserError as error:
            raise UserError(f"{path}: {error.problem}", error.hint) from error

    @cached_property
    def content_sha256(self) -> str:
        """SHA-256 of pictures, names, tensors, scores, targets and labels, however they are packed.

        The rest of the card is left out: the card of a converted model holds this very hash.
        """
        digest = hashlib.sha256()
        labels = _text(json.dumps(self.card.labels, ensure_ascii=False))
        for name, array in {**self._arrays, "labels": labels}.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def encoded(self, index: int) -> bytes:
        """The picture file of one picture."""
        return self.pictures[index]

    def source(self, index: int) -> str:
        """The name of one picture."""
        return self.names[index]

    def frame(self, index: int) -> Frame:
        """Decode one picture: uint8, (H, W, 3), BGR.

        Raises:
            ImageError: It is no picture.
        """
        return decode_image(self.pictures[index], self.names[index])

    def decoded_for(self, index: int, spec: InputSpec) -> tuple[Frame, tuple[int, int]]:
        """One picture as the runtime decodes it for an input; see `hemline.images.decode_for`.

        Raises:
            ImageError: It is no picture.
        """
        return decode_for(self.pictures[index], self.names[index], spec)

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        sizes = [len(picture) for picture in self.pictures]
        return {
            "format": np.array(PACK_FORMAT if self.decoded else _WITHOUT_FINGERPRINTS, "<i8"),
            "pictures": np.frombuffer(b"".join(self.pictures), np.uint8),
            "offsets": np.cumsum([0, *sizes]).astype("<i8"),
            "names": _text(json.dumps(self.names, ensure_ascii=False)),
            "tensors": self.tensors,
            "scores": self.scores.astype("<f4"),
            "targets": self.targets.astype("<i8"),
            **(_decoded_arrays(self.decoded) if self.decoded else {}),
        }


def _check(pack: GoldenPack) -> None:
    count, classes = len(pack.pictures), len(pack.card.labels)
    spec = pack.card.input
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {
        "tensors": (np.uint8, (count, *spec.tensor_shape[1:])),
        "scores": (np.float32, (count, classes)),
        "targets": (np.int64, (count,)),
    }
    hint = _WRITE_ANEW
    if count == 0:
        raise UserError(f"the {_KIND} holds no picture", hint)
    if len(pack.names) != count or not all(isinstance(name, str) for name in pack.names):
        raise UserError(f"the {_KIND} has {count} pictures and {len(pack.names)} names", hint)
    for name, (dtype, shape) in expected.items():
        _check_array(name, getattr(pack, name), dtype, shape)
    if pack.decoded is not None:
        means = (count, GRID, GRID, 3)
        _check_array("sizes", pack.decoded.sizes_wh, np.int64, (count, 2))
        _check_array("means", pack.decoded.means, np.uint8, means)
        _check_array("checksums", pack.decoded.checksums, np.uint32, (count,))
    if not np.isfinite(pack.scores).all():
        raise UserError(f"the {_KIND} has reference scores that are NaN or infinite", hint)
    if pack.targets.min() < UNKNOWN or pack.targets.max() >= classes:
        raise UserError(f"the {_KIND} has targets outside of −1 to {classes - 1}", hint)


def _check_array(name: str, array: NDArray[Any], dtype: Any, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise UserError(
            f"the {_KIND} has {name} of {array.dtype} {array.shape}, "
            f"it must be {np.dtype(dtype)} {shape}",
            _WRITE_ANEW,
        )


def _decoded_arrays(decoded: Fingerprints) -> dict[str, NDArray[Any]]:
    return {
        "decoded_sizes": decoded.sizes_wh.astype("<i8"),
        "decoded_means": decoded.means,
        "decoded_checksums": decoded.checksums.astype("<u4"),
    }


def _fingerprints(arrays: Mapping[str, NDArray[Any]]) -> Fingerprints:
    return Fingerprints(
        arrays["decoded_sizes"], arrays["decoded_means"], arrays["decoded_checksums"]
    )


def _cut(pictures: NDArray[Any], offsets: NDArray[Any]) -> tuple[bytes, ...]:
    """The picture files out of one array. Raises ValueError if the offsets cannot be right."""
    if pictures.dtype != np.uint8 or pictures.ndim != 1:
        raise ValueError(f"its pictures are {pictures.dtype} {pictures.shape}, not uint8 (bytes,)")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
        raise ValueError(f"its offsets are {offsets.dtype} {offsets.shape}, not int64 (N + 1,)")
    if offsets[0] != 0 or offsets[-1] != len(pictures) or (np.diff(offsets) < 0).any():
        raise ValueError(f"its offsets do not cut {len(pictures)} bytes into pictures")
    content = pictures.tobytes()
    bounds = offsets.tolist()
    return tuple(content[a:b] for a, b in pairwise(bounds))


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
