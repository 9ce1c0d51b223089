"""Small line plots as SVG, one panel a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 560, 150, 70, 22, 44
POINTS = 800  # of a line; more are thinned


def plot(series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """An SVG text of panels one below the other, with the range of both axes.

    >>> plot({"loss": ([1, 2], [0.5, 0.25])}).startswith("<svg")
    True
    """
    height = len(series) * (HEIGHT + GAP) + TOP
    panels = [
        _panel(name, xs, ys, TOP + i * (HEIGHT + GAP)) for i, (name, (xs, ys)) in enumerate(series.items())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="#333">{"".join(panels)}</svg>'
    )


def _panel(name: str, xs: Sequence[float], ys: Sequence[float], top: int) -> str:
    step = max(1, len(xs) // POINTS)
    points = [(float(x), float(y)) for x, y in zip(xs[::step], ys[::step], strict=True) if y == y]
    if not points:
        return ""
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    y0, y1 = min(y for _, y in points), max(y for _, y in points)

    def at(x: float, y: float) -> str:
        across = LEFT + WIDTH * (x - x0) / ((x1 - x0) or 1)
        return f"{across:.1f},{top + HEIGHT - HEIGHT * (y - y0) / ((y1 - y0) or 1):.1f}"

    line = " ".join(at(x, y) for x, y in points)
    bottom = top + HEIGHT
    return (
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>'
        f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>'
        f'<text x="{LEFT}" y="{top - 6}">{escape(name)}</text>'
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{y1:.4g}</text>'
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">{y0:.4g}</text>'
        f'<text x="{LEFT}" y="{bottom + 14}">{x0:.4g}</text>'
        f'<text x="{LEFT + WIDTH}" y="{bottom + 14}" text-anchor="end">{x1:.4g}</text>'
    )
