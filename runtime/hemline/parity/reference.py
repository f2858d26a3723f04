"""What candidates are measured against: pictures, and what the reference answered to each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec, ModelCard
from hemline.datasets.wardrobe import FASHION_MNIST_GROUPS, GROUP_NAMES, GROUPS
from hemline.errors import DataError, UserError
from hemline.parity.fingerprint import Fingerprint, Fingerprints, fingerprint
from hemline.parity.golden import GoldenPack
from hemline.parity.metrics import UNKNOWN, answers_of
from hemline.preprocess import Frame, Preprocessor
from hemline.progress import progress

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

BLOCK = 256  # pictures that are preprocessed at a time
CACHE_BYTES = 64 * 1024 * 1024  # tensors kept for the next candidate; a small board has 512 MB

Tensors = NDArray[np.uint8]


class LabelledPictures(Protocol):
    """Pictures whose classes are known; a `hemline.datasets.Split` is one."""

    def frame(self, i: int, /) -> Frame:
        """One picture: uint8, (H, W) or (H, W, 3) in BGR order."""

    def tensor(self, i: int, preprocess: Preprocessor, /) -> Frame:
        """One picture as the input tensor: uint8, (1, height, width, channels)."""

    def source(self, i: int, /) -> str:
        """What it is called."""

    def encoded(self, i: int, /) -> bytes:
        """The content of its picture file."""

    @property
    def labels(self) -> Sequence[str]:
        """The class names that `targets` counts."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """int64, (N,): the true class of each picture."""


class Reference:
    """Pictures and the reference's scores on them. Make it with `from_pack` or `from_model`.

    Attributes:
        name: What it is called in reports.
        card: The reference's card.
        indices: int64, (N,): which pictures of the source are taken.
        targets: int64, (N,): their true classes among the card's labels, −1 if not known.
        scores: float32, (N, classes): the reference's logits.
        answers: int64, (N,): the reference's classes.
        pack: The golden pack that the pictures come from, or None.
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        pictures: LabelledPictures | GoldenPack,
        indices: NDArray[np.int64],
        targets: NDArray[np.int64],
        *,
        tensors: Tensors | None = None,
    ) -> None:
        if len(indices) == 0:
            raise DataError(f"{name} has no pictures", "give data with at least one picture")
        self.name, self.card, self.indices, self.targets = name, card, indices, targets
        self.pack = pictures if isinstance(pictures, GoldenPack) else None
        self._pictures, self._expected = pictures, tensors
        self._decoded: dict[int, Fingerprint] = {}
        self._cache: dict[tuple[InputSpec, int], Tensors] = {}
        self._cached_bytes = 0

    scores: NDArray[np.float32]
    answers: NDArray[np.int64]

    @classmethod
    def from_pack(cls, pack: GoldenPack, name: str, limit: int | None = None) -> Reference:
        """The float model whose tensors and scores a golden pack holds."""
        indices = spread(len(pack), limit)
        reference = cls(
            name,
            pack.card,
            pack,
            indices,
            pack.targets[indices],
            tensors=pack.tensors[indices],
        )
        reference._answer(pack.scores[indices])
        return reference

    @classmethod
    def from_model(
        cls,
        model: LoadedModel,
        split: LabelledPictures,
        name: str,
        limit: int | None = None,
    ) -> Reference:
        """A model that runs here, on the pictures of a data set; it is run once, now.

        Raises:
            DataError: The data has classes that the model does not know, or no pictures.
            ModelError: The model cannot be run.
        """
        truth = classes_in_card(split, model.card)
        indices = spread(len(truth), limit)
        reference = cls(name, model.card, split, indices, truth[indices])
        reference._answer(reference._run(model))
        return reference

    @classmethod
    def from_model_on_pack(
        cls, model: LoadedModel, pack: GoldenPack, name: str, limit: int | None = None
    ) -> Reference:
        """A model that runs here, on the pictures of a golden pack; otherwise as `from_model`."""
        if model.card.labels != pack.card.labels:
            raise DataError(f"{name}: the pack's classes are not those of the reference model")
        indices = spread(len(pack), limit)
        alike = model.card.input == pack.card.input
        tensors = pack.tensors[indices] if alike else None
        reference = cls(name, model.card, pack, indices, pack.targets[indices], tensors=tensors)
        reference._answer(reference._run(model))
        return reference

    def __len__(self) -> int:
        return len(self.indices)

    def source(self, row: int) -> str:
        """The name of one picture."""
        return self._pictures.source(int(self.indices[row]))

    def encoded(self, row: int) -> bytes:
        """One picture as the content of a picture file."""
        return self._pictures.encoded(int(self.indices[row]))

    def frame(self, row: int) -> Frame:
        """One picture: uint8, (H, W) or (H, W, 3) in BGR order."""
        return self._pictures.frame(int(self.indices[row]))

    def blocks(self, spec: InputSpec) -> Iterator[tuple[int, Tensors, Tensors]]:
        """All pictures, preprocessed on this machine, beside the tensors that the reference had.

        Yields:
            The row that the block starts at; the tensors by `spec`; the tensors of the reference.
            Both uint8, (rows, H, W, C); H, W and C may differ between them if the cards do.
        """
        for start in range(0, len(self), BLOCK):
            stop = min(start + BLOCK, len(self))
            made = self._made(spec, start, stop)
            if self._expected is not None:
                yield start, made, self._expected[start:stop]
            elif spec == self.card.input:
                yield start, made, made
            else:
                yield start, made, self._made(self.card.input, start, stop)

    @property
    def has_tensors(self) -> bool:
        """Whether its tensors come from elsewhere, so that those made here can be compared with them."""
        return self._expected is not None

    def tensor(self, row: int) -> Tensors:
        """The tensor of one picture that the reference was given: uint8, (1, H, W, C)."""
        if self._expected is not None:
            return self._expected[row : row + 1]
        return np.array(self._tensor(row, Preprocessor(self.card.input)))

    def decoded(self, row: int) -> tuple[Frame, tuple[int, int]]:
        """One picture as this machine decodes it for the pack's input, and the size of the whole picture."""
        if self.pack is not None:
            return self.pack.decoded_for(int(self.indices[row]), self.pack.card.input)
        frame = self.frame(row)
        return frame, (frame.shape[1], frame.shape[0])

    def decoded_here(self) -> Fingerprints:
        """What this machine decodes the pictures of the pack to."""
        rows = [
            self._decoded[row] if row in self._decoded else fingerprint(self.decoded(row)[0])
            for row in range(len(self))
        ]
        return Fingerprints.of_rows(rows)

    def _made(self, spec: InputSpec, start: int, stop: int) -> Tensors:
        key = (spec, start)
        if key in self._cache:
            return self._cache[key]
        preprocess = Preprocessor(spec)
        tensors = np.empty((stop - start, *spec.tensor_shape[1:]), np.uint8)
        for row in range(start, stop):
            tensors[row - start] = self._tensor(row, preprocess)[0]
        if self._cached_bytes + tensors.nbytes <= CACHE_BYTES:
            self._cache[key] = tensors
            self._cached_bytes += tensors.nbytes
        return tensors

    def _tensor(self, row: int, preprocess: Preprocessor) -> Tensors:
        index = int(self.indices[row])
        if not isinstance(self._pictures, GoldenPack):
            return self._pictures.tensor(index, preprocess)
        frame, picture_wh = self._pictures.decoded_for(index, preprocess.spec)
        if self._pictures.decoded is not None and preprocess.spec == self._pictures.card.input:
            self._decoded[row] = fingerprint(frame)  # here, since nothing is decoded twice
        return preprocess(frame, picture_wh)

    def _run(self, model: LoadedModel) -> NDArray[np.float32]:
        scores = np.empty((len(self), len(model.card.labels)), np.float32)
        logits = model.backend.logits
        blocks = self.blocks(model.card.input)
        count = -(-len(self) // BLOCK)
        for start, _, tensors in progress(blocks, f"running {model.file_name}", count, "block"):
            for k in range(len(tensors)):
                scores[start + k] = logits(tensors[k : k + 1])
        return scores

    def _answer(self, scores: NDArray[np.float32]) -> None:
        self.scores, self.answers = scores, answers_of(scores)
        if (self.answers == UNKNOWN).any():
            raise UserError(
                f"{self.name}: the reference's own scores are NaN or infinite",
                "nothing can be measured against it; take another reference",
            )


def spread(count: int, limit: int | None) -> NDArray[np.int64]:
    """At most `limit` of `count` positions, evenly spread: data are often sorted by class.

    Returns:
        int64, (min(count, limit),), ascending; all positions without a limit.

    Raises:
        UserError: The limit is below 1.
    """
    if limit is None or limit >= count:
        return np.arange(count, dtype=np.int64)
    if limit < 1:
        raise UserError(f"the limit is {limit} pictures", "it must be at least 1")
    return np.arange(limit, dtype=np.int64) * count // limit


def classes_in_card(split: LabelledPictures, card: ModelCard) -> NDArray[np.int64]:
    """The true classes as positions among the card's labels: int64, (N,), −1 where the data does not tell.

    Raises:
        DataError: The data has a class that the model does not know.
    """
    # "shoes" does not tell which of three classes it is; as any other picture it must be answered alike.
    several = {
        name
        for name, group in zip(GROUP_NAMES, GROUPS, strict=True)
        if len(group) > 1 and set(group) <= {FASHION_MNIST_GROUPS.get(x, x) for x in card.labels}
    }
    foreign = [label for label in split.labels if label not in card.labels and label not in several]
    if foreign:
        raise DataError(
            f"the data has classes that the model {card.name} does not know: {', '.join(foreign)}",
            f"the model's classes are: {', '.join(card.labels)}; take data with these names",
        )
    class_of = {label: position for position, label in enumerate(card.labels)}
    positions = np.array([class_of.get(label, UNKNOWN) for label in split.labels], np.int64)
    return np.asarray(positions[split.targets], np.int64)
