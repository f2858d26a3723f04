"""Small plots as inline SVG: no script, no library, colours of the page's style sheet.

Text stands beside them in HTML, so that it keeps its size where a plot is scaled to a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 100, 40  # units of the drawing; it is stretched to the space that it gets


def histogram(
    counts: Sequence[int], limits: tuple[float, float], chosen: tuple[float, float]
) -> str:
    """How often values occur, on a logarithmic scale, and the range that was chosen.

    Args:
        counts: Of bins of equal width.
        limits: Where the first bin begins, and the last ends.
        chosen: The range: values outside of it are cut.
    """
    low, high = min(limits[0], chosen[0]), max(limits[1], chosen[1])
    span = high - low or 1.0

    def across(value: float) -> float:
        return (value - low) / span * _WIDTH

    tallest = math.log1p(max(counts, default=0)) or 1.0
    width = (limits[1] - limits[0]) / span * _WIDTH / max(len(counts), 1)
    bars = "".join(
        f"M{across(limits[0]) + k * width:.2f} {_HEIGHT}"
        f"v-{math.log1p(count) / tallest * _HEIGHT:.2f}h{width:.2f}V{_HEIGHT}z"
        for k, count in enumerate(counts)
        if count
    )
    first, last = across(chosen[0]), across(chosen[1])
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect class="range" x="{first:.2f}" width="{last - first:.2f}" '
        f'height="{_HEIGHT}"/><path class="counts" d="{bars}"/>'
        f'<path class="ends" d="M{first:.2f} 0V{_HEIGHT}M{last:.2f} 0V{_HEIGHT}"/></svg>'
    )
