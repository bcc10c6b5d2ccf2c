"""Draw the packages of src/fullconv and their imports as an SVG picture, measured from the code."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "fullconv"
WIDTH, BOX, HEIGHT, ROW = 860, 130, 44, 92  # pixels: picture, boxes, distance of the rows
# Each package: its column from 0 (left) to 1, and what it is for.
PACKAGES = {
    "cli": (0.45, "one file per command"),
    "serving": (0.9, "HTTP server"),
    "batch": (0.65, "many inputs"),
    "training": (0.25, "loop, losses, runs"),
    "export": (0.65, "other runtimes"),
    "evaluation": (0.25, "metrics, reports"),
    "weights": (0.65, "foreign files"),
    "model": (0.45, "load, save, predict"),
    "engines": (0.45, "the fastest runtime"),
    "conversion": (0.65, "networks as graphs"),
    "inference": (0.45, "one image, any size"),
    "explain": (0.9, "receptive fields"),
    "data": (0.2, "formats, transforms"),
    "networks": (0.75, "FCN, backbones"),
    "io": (0.2, "images, rasters, files"),
    "config": (0.75, "settings"),
    "hardware": (0.56, "devices, memory"),
    "units": (0.38, "sizes, durations"),
    "pages": (0.9, "one-file web pages"),
    "errors": (0.45, "user errors"),
}


def packages_svg() -> str:
    """Return the picture: a row per level, with arrows to what a package builds on directly."""
    imports = direct_imports()
    levels: dict[str, int] = {}
    while len(levels) < len(imports):
        for name, used in imports.items():
            if used <= levels.keys():
                levels.setdefault(name, 1 + max((levels[other] for other in used), default=-1))
    rows = max(levels.values())
    positions = {
        name: (WIDTH * PACKAGES[name][0], 30 + ROW * (rows - level))
        for name, level in levels.items()
    }
    lines = [
        arrow(positions[name], positions[other])
        for name in imports
        for other in needed(name, imports)
    ]
    boxes = [box(name, *position) for name, position in positions.items()]
    height = 60 + ROW * rows
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" text-anchor="middle">',
            "<title>Packages of fullconv; an arrow leads to a package that is imported</title>",
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8Z" fill="#888"/></marker>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def direct_imports() -> dict[str, set[str]]:
    """Return, for each package with a name of its own, the packages that its files import."""
    files = [*SOURCE.glob("*.py"), *SOURCE.glob("*/**/*.py")]
    result: dict[str, set[str]] = {}
    for file in sorted(files):
        name = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        used = {module.split(".")[1] for module in imported(file) if module.startswith("fullconv.")}
        result.setdefault(name, set()).update(used)
    named = {name for name in result if name in PACKAGES}
    return {name: (result[name] & named) - {name} for name in sorted(named)}


def imported(file: Path) -> list[str]:
    """Return the dotted names of the modules that a file imports."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "fullconv":
            found += [f"fullconv.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def needed(name: str, imports: dict[str, set[str]]) -> list[str]:
    """Return the imports of a package that do not follow from others."""
    indirect = set().union(*(reachable(other, imports) for other in imports[name]))
    return sorted(imports[name] - indirect)


def reachable(name: str, imports: dict[str, set[str]]) -> set[str]:
    """Return all packages that a package imports directly or indirectly."""
    return imports[name].union(*(reachable(other, imports) for other in imports[name]))


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return a line to the upper edge of another box: a curve to its column, then straight."""
    (x1, y1), (x2, y2) = start, end
    top, turn, bottom = y1 + HEIGHT / 2, y1 + ROW - HEIGHT / 2 - 12, y2 - HEIGHT / 2 - 2
    middle = (top + turn) / 2
    return (
        f'<path d="M{x1:.0f} {top:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} '
        f'{turn:.0f}V{bottom:.0f}" fill="none" stroke="#888" stroke-width="1.5" '
        'marker-end="url(#head)"/>'
    )


def box(name: str, x: float, y: float) -> str:
    """Return a box around a package's name and purpose."""
    colour = "#ffd98a" if name == "model" else "#dbe7f6"
    text = f'<text x="{x:.0f}" fill="#1b2a3d"'
    return (
        f'<rect x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" height="{HEIGHT}" '
        f'rx="6" fill="{colour}" stroke="#5b7ba6"/>'
        f'{text} y="{y - 3:.0f}" font-size="15" font-weight="bold">{name}</text>'
        f'{text} y="{y + 14:.0f}" font-size="11">{PACKAGES[name][1]}</text>'
    )
