"""What `fullconv export` prints: what was written, and what was verified."""

from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.io.commands import pasted
from fullconv.units import format_bytes

if TYPE_CHECKING:
    from fullconv.export.targets import Written
    from fullconv.inference.runtimes.description import Description, Parity, QuantizationCost

SERVER = ("python", "-m", "http.server", "-d")  # and a folder


def print_result(
    description: "Description", kind: Path, file: Path, json: Path | None, quiet: bool
) -> None:
    """Print what was verified; `kind` has the suffix of the format."""
    if str(json) != "-":
        if description.parity:
            _print_parity(description.parity, " before int8" if description.loss else "")
        if description.loss:
            _print_loss(description.classes, description.protocol, description.loss, quiet)
        if kind.suffix.lower() == ".html":
            _print_browser(description)
        if description.least != (1, 1):
            say(f"images of at least {description.least[0]} x {description.least[1]} pixels")
        if description.fixed:
            say(f"images of {description.fixed[0]} x {description.fixed[1]} pixels only")
        _print_written(file, "", quiet)
    write_json(json, {"file": str(file), **description.model_dump(mode="json")})


def _print_browser(description: "Description") -> None:
    found = description.browser
    if found is None:
        say(
            "browser  not verified: neither Chromium nor Chrome was found or started; the page "
            "checks itself when it is opened"
        )
        return
    say(
        f"browser  {found.browser}: self-check passed, {found.difference:.1e} of the largest score "
        f"from ONNX Runtime, labels differ at {found.label_changes:.4%} of the pixels"
    )


def _print_loss(
    classes: tuple[str, ...], protocol: str, loss: "QuantizationCost", quiet: bool
) -> None:
    from fullconv.evaluation.metrics import format_percent

    if not quiet:
        rows = zip(classes, loss.before, loss.after, strict=True)
        cells = [
            (name, _format_iou(a), _format_iou(b), _format_points(a, b)) for name, a, b in rows
        ]
        mean = (
            "mean",
            format_percent(loss.mean_before),
            format_percent(loss.mean_after),
        )
        cells.append((*mean, _format_points(loss.mean_before, loss.mean_after)))
        say_lines(format_table(("class", "IoU", "IoU in int8", "points"), cells))
        say(f"{loss.images} images of {loss.data}; {protocol}")
    say(f"int8  same label at {loss.agreement:.2%} of the pixels")


def _print_written(file: Path, size: str, quiet: bool) -> None:
    say(f"written {file}{size}")
    if not quiet and file.is_dir():
        say(f"next    put the folder on a web server; or try it: {pasted(*SERVER, file)}")
    elif not quiet and file.suffix.lower() == ".html":
        say("next    open the file in a browser; it needs no server and no network")
    elif not quiet:
        predict = pasted("fullconv", "predict", file, "PHOTOS", "--out", "predictions")
        say(f"next    {predict}")


def print_target(written: "Written", path: Path, json: Path | None, quiet: bool) -> None:
    """Print what was written for a program."""
    if str(json) != "-":
        if written.parity:
            _print_parity(written.parity)
        say(f"written {path}")
        for note in written.notes if not quiet else ():
            say(f"note    {note}")
    parity = written.parity.model_dump(mode="json") if written.parity else None
    write_json(json, {"file": str(path), "parity": parity, "notes": list(written.notes)})


def print_half(parity: "Parity", file: Path, json: Path | None, quiet: bool) -> None:
    """Print what was verified of a file with weights in float16."""
    if str(json) != "-":
        _print_parity(parity)
        _print_written(file, f" ({format_bytes(file.stat().st_size)})", quiet)
    write_json(json, {"file": str(file), "parity": parity.model_dump(mode="json")})


def _print_parity(parity: "Parity", when: str = "") -> None:
    sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(parity.sizes))
    say(
        f"parity{when}  {parity.difference:.1e} of the largest score, labels differ at "
        f"{parity.label_changes:.4%} of the pixels ({sizes})"
    )


def _format_iou(share: float | None) -> str:
    from fullconv.evaluation.metrics import format_percent

    return "-" if share is None else format_percent(share)


def _format_points(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{100 * (after - before):+.2f}"
