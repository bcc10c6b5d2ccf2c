"""The result of a benchmark as a table."""

from typing import TYPE_CHECKING

from fullconv.cli._console import format_table, say, say_lines
from fullconv.units import count

if TYPE_CHECKING:
    from fullconv.export.benchmark.results import Bench, RuntimeResult
    from fullconv.export.benchmark.timing import Spread


# Two tables, since one would be wider than a terminal.
SPEED = ("runtime", "ms", "quartiles", "speedup", "images/s", "GFLOP")
QUALITY = ("runtime", "precision", "GFLOP/s", "of peak", "memory", "difference", "same")


def print_table(bench: "Bench", quiet: bool) -> None:
    """Print rows per runtime, the machine's peak and what was left out; details unless quiet."""
    height, width = bench.size
    say_lines(format_table(SPEED, map(_format_speed, bench.rows)))
    say("")
    say_lines(format_table(QUALITY, map(_format_quality, bench.rows), left=2))
    for precision, rate in bench.peaks.items():
        spread = f"{rate.low:.0f} to {rate.high:.0f}"
        say(f"peak  {precision} {rate.median:.0f} GFLOP/s ({spread}), a large matrix product")
    for line in bench.left_out:
        say(f"not measured  {line}")
    if quiet:
        return
    clock = "CPU time" if bench.clock == "cpu" else "wall time"
    threads = count(bench.threads, "thread")
    several = f"medians of {bench.rounds} interleaved rounds"
    rounds = "1 round" if bench.rounds == 1 else several
    say(
        f"{height} x {width}, {threads}, {clock}, {rounds}; speedup over "
        f"{bench.rows[0].engine}, per round"
    )
    say(", ".join(f"{name} {value}" for name, value in bench.machine.items()))


def _format_speed(row: "RuntimeResult") -> tuple[str, ...]:
    return (
        row.engine,
        f"{1e3 * row.seconds.median:.1f}",
        _format_quartiles(row.seconds, 1e3, 1),
        f"{row.speedup.median:.2f} ({_format_quartiles(row.speedup, 1, 2)})",
        f"{row.throughput:.2f}",
        "-" if row.gflop is None else f"{row.gflop:.1f}",
    )


def _format_quality(row: "RuntimeResult") -> tuple[str, ...]:
    from fullconv.units import format_bytes

    return (
        row.engine,
        row.precision,
        "-" if row.rate is None else f"{row.rate:.1f}",
        "-" if row.share is None else f"{row.share:.0%}",
        format_bytes(row.memory),
        "-" if row.difference is None else f"{row.difference:.1e}",
        "-" if row.agreement is None else f"{row.agreement:.2%}",
    )


def _format_quartiles(spread: "Spread", factor: float, digits: int) -> str:
    return f"{factor * spread.low:.{digits}f}-{factor * spread.high:.{digits}f}"
