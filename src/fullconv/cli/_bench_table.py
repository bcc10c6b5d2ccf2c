"""What was measured, as a table with what it was measured on."""

from typing import TYPE_CHECKING

from fullconv.cli._console import format_table, say

if TYPE_CHECKING:
    from fullconv.export.benchmark.results import Bench, RuntimeResult
    from fullconv.export.benchmark.timing import Spread


TITLES = (
    *("engine", "precision", "ms", "quartiles", "times as fast", "images/s"),
    *("GFLOP", "GFLOP/s", "of peak", "memory", "difference", "same label"),
)


def tell(bench: "Bench", quiet: bool) -> None:
    """Print every engine's row, the machine's peak, and who is missing; if quiet no more."""
    height, width = bench.size
    say(format_table(TITLES, map(_cells, bench.rows), left=2))
    for precision, rate in bench.peaks.items():
        spread = f"{rate.low:.0f} to {rate.high:.0f}"
        say(f"peak  {precision} {rate.median:.0f} GFLOP/s ({spread}), a large matrix product")
    for line in bench.left_out:
        say(f"left out  {line}")
    if quiet:
        return
    clock = "seconds of all cores" if bench.clock == "cpu" else "wall time"
    say(
        f"{height} x {width}, {bench.threads} threads, {clock}, medians of {bench.rounds} rounds "
        f"in turns; times as fast as {bench.rows[0].engine}, round by round"
    )
    say(", ".join(f"{name} {value}" for name, value in bench.machine.items()))


def _cells(row: "RuntimeResult") -> tuple[str, ...]:
    from fullconv.units import format_bytes

    return (
        row.engine,
        row.precision,
        f"{1e3 * row.seconds.median:.1f}",
        _between(row.seconds, 1e3, 1),
        f"{row.ahead.median:.2f} ({_between(row.ahead, 1, 2)})",
        f"{row.throughput:.2f}",
        "-" if row.gflop is None else f"{row.gflop:.1f}",
        "-" if row.rate is None else f"{row.rate:.1f}",
        "-" if row.share is None else f"{row.share:.0%}",
        format_bytes(row.memory),
        "-" if row.difference is None else f"{row.difference:.1e}",
        "-" if row.agreement is None else f"{row.agreement:.2%}",
    )


def _between(spread: "Spread", factor: float, digits: int) -> str:
    return f"{factor * spread.low:.{digits}f}-{factor * spread.high:.{digits}f}"
