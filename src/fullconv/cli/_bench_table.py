"""The result of a benchmark as a table."""

from typing import TYPE_CHECKING

from fullconv.cli._console import format_table, say, say_lines

if TYPE_CHECKING:
    from fullconv.export.benchmark.results import Bench, RuntimeResult
    from fullconv.export.benchmark.timing import Spread


TITLES = (
    *("runtime", "precision", "ms", "quartiles", "speedup", "images/s"),
    *("GFLOP", "GFLOP/s", "of peak", "memory", "difference", "same label"),
)


def print_table(bench: "Bench", quiet: bool) -> None:
    """Print a row per runtime, the machine's peak and what was left out; details unless quiet."""
    height, width = bench.size
    say_lines(format_table(TITLES, map(_format_row, bench.rows), left=2))
    for precision, rate in bench.peaks.items():
        spread = f"{rate.low:.0f} to {rate.high:.0f}"
        say(f"peak  {precision} {rate.median:.0f} GFLOP/s ({spread}), a large matrix product")
    for line in bench.left_out:
        say(f"not measured  {line}")
    if quiet:
        return
    clock = "CPU time" if bench.clock == "cpu" else "wall time"
    say(
        f"{height} x {width}, {bench.threads} threads, {clock}, medians of {bench.rounds} "
        f"interleaved rounds; speedup over {bench.rows[0].engine}, per round"
    )
    say(", ".join(f"{name} {value}" for name, value in bench.machine.items()))


def _format_row(row: "RuntimeResult") -> tuple[str, ...]:
    from fullconv.units import format_bytes

    return (
        row.engine,
        row.precision,
        f"{1e3 * row.seconds.median:.1f}",
        _format_quartiles(row.seconds, 1e3, 1),
        f"{row.ahead.median:.2f} ({_format_quartiles(row.ahead, 1, 2)})",
        f"{row.throughput:.2f}",
        "-" if row.gflop is None else f"{row.gflop:.1f}",
        "-" if row.rate is None else f"{row.rate:.1f}",
        "-" if row.share is None else f"{row.share:.0%}",
        format_bytes(row.memory),
        "-" if row.difference is None else f"{row.difference:.1e}",
        "-" if row.agreement is None else f"{row.agreement:.2%}",
    )


def _format_quartiles(spread: "Spread", factor: float, digits: int) -> str:
    return f"{factor * spread.low:.{digits}f}-{factor * spread.high:.{digits}f}"
