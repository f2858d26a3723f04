"""What the pages of reports are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from hemline.parity._style import STYLE


def document(state: str, title: str, body: Iterable[str]) -> str:
    """A whole page: no network, no scripts.

    Args:
        state: `pass` or `fail`.
        title: Of the page, behind the verdict.
        body: HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{state.upper()} – {escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body).replace(" %", "\N{NO-BREAK SPACE}%")
        + "\n</body></html>\n"
    )


def facts_table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, both HTML."""
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'<div class="wide"><table class="facts">{cells}</table></div>'


def table(name: str, rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Cells of HTML below their head; `name` is the table's class in the style sheet."""
    header = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n" for cells in rows)
    return (
        f'<div class="wide"><table class="{name}"><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bullets(items: Iterable[str]) -> str:
    """A list of HTML."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def bars(values: Sequence[tuple[float, str]], largest: float) -> str:
    """Bars from the left, one below the other, as long as their values are of `largest`: inline SVG.

    Args:
        values: Each with its class in the style sheet; below 0 counts as 0, and an infinite one is full.
        largest: What fills the width.
    """
    drawn = "".join(
        f'<rect class="{kind}" y="{5 * row}" width="{_WIDTH * min(max(value / largest, 0), 1):.2f}" '
        'height="4"/>'
        for row, (value, kind) in enumerate(values)
    )
    return (
        f'<svg class="bars" viewBox="0 0 {_WIDTH} {5 * len(values) - 1}" preserveAspectRatio="none" '
        f'aria-hidden="true">{drawn}</svg>'
    )


_WIDTH = 100  # units of the drawing; it is stretched to the space that it gets
