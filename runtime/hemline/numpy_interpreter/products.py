"""Matrix products of the size that classifiers have, in one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# OpenBLAS, which NumPy's wheels carry, wakes its threads for more multiplications than these. On small
# products that gains nothing, and where other programs keep the cores busy, waiting for the threads takes
# ten times as long as the product.
_ONE_THREAD_MULTIPLICATIONS = 1 << 18


def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """The matrix product, (M, K) times (K, N)."""
    if len(left) == 1:  # BLAS has another routine for vectors, which wakes threads much sooner
        row: NDArray[Any] = np.einsum("mk,kn->mn", left, right)
        return row
    rows = max(2, _ONE_THREAD_MULTIPLICATIONS // max(1, right.size))
    blocks = [left[start : start + rows] @ right for start in range(0, len(left), rows)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
