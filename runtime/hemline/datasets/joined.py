"""Several splits, one behind the other, with labels of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.split import Split
from hemline.preprocess import Frame, Preprocessor


class JoinedSplit(Split):
    """Splits as one.

    Args:
        name: Of the split.
        labels: Of the whole.
        targets: For each part int64, (N,), positions in `labels`.
        parts: What is joined; at least one.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        targets: Sequence[NDArray[np.int64]],
        parts: Sequence[Split],
    ) -> None:
        super().__init__(name, labels, np.concatenate(targets))
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    def _place(self, i: int) -> tuple[Split, int]:
        """The part that a picture is in, and its position there."""
        i = range(len(self))[i]
        part = int(np.searchsorted(self._ends, i, "right"))
        return self._parts[part], i - (int(self._ends[part - 1]) if part else 0)

    def frame(self, i: int) -> Frame:
        """See `Split`."""
        part, row = self._place(i)
        return part.frame(row)

    def tensor(self, i: int, preprocess: Preprocessor) -> Frame:
        """See `Split`."""
        part, row = self._place(i)
        return part.tensor(row, preprocess)

    def encoded(self, i: int) -> bytes:
        """See `Split`."""
        part, row = self._place(i)
        return part.encoded(row)

    def source(self, i: int) -> str:
        """See `Split`."""
        part, row = self._place(i)
        return part.source(row)

    def digests(self) -> list[bytes]:
        """See `Split`."""
        return [digest for part in self._parts for digest in part.digests()]

    def subset(self, indices: Sequence[int] | NDArray[np.int64], name: str | None = None) -> Split:
        """See `Split`."""
        chosen = np.arange(len(self))[np.asarray(indices, np.int64)]
        part_of = np.searchsorted(self._ends, chosen, "right")
        starts = self._ends - [len(part) for part in self._parts]
        runs = np.split(np.arange(len(chosen)), np.flatnonzero(np.diff(part_of)) + 1)
        return JoinedSplit(
            name or self.name,
            self.labels,
            [self.targets[chosen]],
            [
                self._parts[part_of[run[0]]].subset(chosen[run] - starts[part_of[run[0]]])
                for run in runs
                if len(run)
            ],
        )
