"""Where tables come from and where they go: the graph that contracts state, and drawings of parts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from catalog.catalogue import Catalogue
from catalog.star_views import athena_views

SOURCE, FEED, WAREHOUSE, CALENDAR, PIPELINE = "source", "feed", "warehouse", "calendar", "pipeline"
"""Where there are tables besides the zones, and what makes those that no source has."""

# In pixels: a character of a table's name and of a database's, and what lies between and around boxes.
_NAME, _PLACE, _PADDING = 7.6, 6.4, 9
_GAP, _ROW, _BOX, _MARGIN, _TOP = 96, 54, 42, 2, 26


@dataclass(frozen=True)
class Node:
    """A table, or what a table is made of.

    Attributes:
        place: The database it is in, or ``source``, ``warehouse``, ``calendar``, ``pipeline``.
        name: Its name there; nothing for the calendar and the pipeline.
    """

    place: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.place}.{self.name}" if self.name else f"the {self.place}"


@dataclass(frozen=True)
class Edge:
    """That rows go from one table to another, and by which job or view."""

    start: Node
    end: Node
    by: str


def edges(catalogue: Catalogue) -> tuple[Edge, ...]:
    """Everything that the contracts state about where rows come from, source to warehouse."""
    raw, letters = catalogue.zones["raw"].database, catalogue.zones["dead_letter"].database
    found = []
    for name, table in catalogue.raw.items():
        captured = table.origin == "database"
        found += [
            Edge(
                Node(SOURCE if captured else FEED, name), Node(raw, name), "capture" if captured else "fetch"
            ),
            Edge(Node(raw, name), Node(letters, name), "validation"),
        ]
    for name in sorted(set(catalogue.dead_letter) - set(catalogue.raw)):
        found += [Edge(Node(SOURCE, table), Node(letters, name), "capture") for table in catalogue.captured]
    for contract in catalogue.star.values():
        star = Node(contract.zone_info.database, contract.table)
        found.append(Edge(star, Node(WAREHOUSE, contract.table), "load"))
        if contract.kind == "dead_letters":
            found += [Edge(Node(letters, table), star, "dimensions and facts") for table in catalogue.raw]
            continue
        stage = contract.stages[0]
        built = contract.built_from
        sources = [built.table, *(join.table for join in built.joins)] if built and built.table else []
        origins = [Node(raw, table) for table in sources if table] or [Node(CALENDAR)]
        found += [Edge(origin, star, stage) for origin in dict.fromkeys(origins)]
        found += [Edge(star, Node(star.place, view.name), "view") for view in athena_views(contract)]
    for contract in catalogue.ops.values():
        found.append(Edge(Node(PIPELINE), Node(contract.zone_info.database, contract.table), "each run"))
    return tuple(found)


def through(known: Iterable[Edge], node: Node) -> tuple[Edge, ...]:
    """The edges on every way through a node: what it comes from and what comes of it.

    Args:
        known: The graph.
        node: One of its nodes.
    """
    known = tuple(known)
    before = _reached({node}, known, lambda edge: (edge.end, edge.start))
    after = _reached({node}, known, lambda edge: (edge.start, edge.end))
    return tuple(
        edge
        for edge in known
        if (edge.start in before and edge.end in before) or (edge.start in after and edge.end in after)
    )


def _reached(
    begun: set[Node], known: tuple[Edge, ...], step: Callable[[Edge], tuple[Node, Node]]
) -> set[Node]:
    reached, further = set(begun), set(begun)
    while further:
        further = {there for here, there in map(step, known) if here in further} - reached
        reached |= further
    return reached


def nodes(drawn: Iterable[Edge]) -> tuple[Node, ...]:
    """The nodes of some edges, each once, in order."""
    return tuple(dict.fromkeys(node for edge in drawn for node in (edge.start, edge.end)))


def words(drawn: Iterable[Edge]) -> str:
    """What a drawing shows, for who cannot see it."""
    return "; ".join(f"{edge.start} feeds {edge.end} ({edge.by})" for edge in drawn)


def drawing(drawn: tuple[Edge, ...], current: Node, link: Callable[[Node], str | None]) -> str:
    """Some edges as SVG, from left to right; its looks are the stylesheet's.

    Args:
        drawn: What to draw.
        current: The node that is pointed out.
        link: The address of a node's page; nothing where it has none.
    """
    layers = _layers(drawn)
    layers = _layers(drawn)
    widths = [max(map(_width, layer)) for layer in layers]
    lefts = [_MARGIN + sum(widths[:column]) + column * _GAP for column in range(len(layers))]
    rows = max(map(len, layers))
    at = {
        node: (lefts[column], _TOP + ((rows - len(layer)) / 2 + row) * _ROW, widths[column])
        for column, layer in enumerate(layers)
        for row, node in enumerate(layer)
    }
    wide = f"{lefts[-1] + widths[-1] + _MARGIN:.0f}"
    high = f"{_TOP + (rows - 1) * _ROW + _BOX + _MARGIN:.0f}"
    said = escape(f"Lineage: {words(drawn)}")
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    parts = [f'<svg class="lineage" {size} role="group" aria-label="{said}">']
    parts += [_curve(at[edge.start], at[edge.end]) for edge in drawn]
    for column in range(len(layers) - 1):
        jobs = dict.fromkeys(edge.by for edge in drawn if edge.start in layers[column])
        middle = lefts[column] + widths[column] + _GAP / 2
        parts += [
            f'<text class="by" x="{middle:.0f}" y="{10 + 11 * line}">{escape(job)}</text>'
            for line, job in enumerate(jobs)
        ]
    parts += [_box(node, *at[node], current=node == current, address=link(node)) for node in at]
    return "".join([*parts, "</svg>"])


def _layers(drawn: tuple[Edge, ...]) -> list[list[Node]]:
    """The nodes by how far they are from where rows come from."""
    depth = dict.fromkeys(nodes(drawn), 0)
    for _ in depth:
        for edge in drawn:
            depth[edge.end] = max(depth[edge.end], depth[edge.start] + 1)
    return [[node for node in depth if depth[node] == at] for at in range(max(depth.values()) + 1)]


def _width(node: Node) -> float:
    return 2 * _PADDING + max(len(node.place) * _PLACE, len(node.name or node.place) * _NAME)


def _curve(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x, y = start[0] + start[2], start[1] + _BOX / 2
    to_x, to_y = end[0], end[1] + _BOX / 2
    half = (x + to_x) / 2
    return f'<path d="M{x:.0f} {y:.0f}C{half:.0f} {y:.0f} {half:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"/>'


def _box(node: Node, x: float, y: float, width: float, *, current: bool, address: str | None) -> str:
    left = f'x="{x + _PADDING:.0f}"'
    label = (
        f'<text class="place" {left} y="{y + 15:.0f}">{escape(node.place)}</text>'
        f'<text {left} y="{y + 32:.0f}">{escape(node.name)}</text>'
        if node.name
        else f'<text {left} y="{y + 25:.0f}">{escape(node.place)}</text>'
    )
    shape = f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX}" rx="6"/>'
    box = f'<g class="{"node current" if current else "node"}">{shape}{label}</g>'
    return f'<a href="{escape(address)}">{box}</a>' if address and not current else box
