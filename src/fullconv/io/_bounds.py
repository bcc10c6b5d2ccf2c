"""Bounds of what a text file may hold, so that a small file cannot take minutes or gigabytes."""

MAX_BYTES = 512 * 2**20  # of a text file: parsed, it takes about ten times as much memory
MAX_DEPTH = 100  # of lists and mappings inside each other; no format needs more than 20
MAX_YAML_VALUES = 300_000  # every use of an alias counts all values that it stands for
MAX_INTEGER = 2**63 - 1  # what arrays can hold
MAX_DIGITS = len(str(MAX_INTEGER))


def too_deep() -> ValueError:
    """Return the error of a file that is nested deeper than `MAX_DEPTH`."""
    return ValueError(f"lists and mappings are nested more than {MAX_DEPTH} deep")


def parse_integer(digits: str, base: int = 10) -> int:
    """Return the integer that a text states.

    Raises:
        ValueError: it does not fit into 64 bits.
    """
    number = int(digits, base) if len(digits) <= 3 * MAX_DIGITS else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"the number {digits[:30]}{'...' * (len(digits) > 30)} exceeds 64 bits")
    return number
