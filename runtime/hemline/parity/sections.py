"""Parts of the page: the four stages, and the layers of a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hemline.parity.layers.error import LayerError
from hemline.parity.layers.table import LayerTable
from hemline.parity.markup import bars, table
from hemline.parity.stages.stage import Stage
from hemline.parity.table import count_of, decibel, remark_on

_BEST_DB = 60.0  # fills a bar
_MARKS = {
    "pass": ("pass", "✓ pass"),
    "fail": ("fail", "✗ FAIL"),
    "not judged": ("unjudged", "not judged"),
}
_LAYER_HEAD = ("Layer", "", "Piled up", "Its own", "Saturated")


def stages_html(stages: Sequence[Stage]) -> str:
    """The way from the file to the label, stage by stage."""
    items = []
    for stage in stages:
        kind, words = _MARKS[stage.state]
        cause = f"<p><b>{escape(stage.cause)}</b></p>" if stage.cause else ""
        allowed = f"<small>allowed: {escape(stage.tolerance)}</small>" if stage.tolerance else ""
        items.append(
            f'<li class="{kind}"><h3>{escape(stage.name)} <b class="{kind}">{words}</b></h3>{cause}'
            f"<p>{escape(stage.finding)}</p>{allowed}</li>"
        )
    return f'<ol class="stages">{"".join(items)}</ol>'


def layers_html(found: LayerTable) -> str:
    """The layers of one file, the worst first; or why they were not compared."""
    title = "<h3>Layer by layer</h3>"
    if found.problem:
        hint = f"; {found.hint}" if found.hint else ""
        return f'{title}<p class="soft">Not compared: {escape(found.problem + hint)}</p>'
    of = f"{found.candidate} against {found.float_network}, {count_of(found.images, 'picture')}"
    return f"{title}{layers_table(found.layers, of)}"


def layers_table(layers: Sequence[LayerError], of: str) -> str:
    """Signal-to-noise of each layer, as it is given.

    Args:
        layers: In the order in which they are shown.
        of: What was compared with what.
    """
    worst = min(layers, key=lambda e: (not e.misfit, e.local_sqnr_db))
    rows = []
    for layer in layers:
        remark = remark_on(layer)
        said = f'<br><span class="fail">{escape(remark)}</span>' if remark else ""
        own = decibel(layer.local_sqnr_db)
        rows.append(
            (
                f"{escape(layer.name)} <small>{escape(layer.operator)}</small>{said}",
                bars(((layer.sqnr_db, "piled"), (layer.local_sqnr_db, "local")), _BEST_DB),
                decibel(layer.sqnr_db),
                f"<b>{own}</b>" if layer is worst else own,
                f"{100 * layer.saturated_share:.2f} %",
            )
        )
    return (
        f'<p class="soft">Signal-to-noise of {escape(of)}, in dB: the longer the better. '
        '<span class="key piled"></span> with what the layers before did wrong, '
        '<span class="key local"></span> what arises in the layer itself. Most arises in '
        f"{escape(worst.name)}. 6 dB are one bit.</p>"
        f"{table('layers', rows, _LAYER_HEAD)}"
    )
