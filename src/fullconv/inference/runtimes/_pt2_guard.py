"""Check a .pt2 file before PyTorch opens it: torch.export.load can run code from the file.

It unpickles objects, looks targets up in all of `torch` and `operator`, and evaluates formulas of
sizes and guards as Python. What `fullconv export` writes needs none of this: raw weights, a graph
of tensor operations, and formulas of a few words. Everything else is refused. The check uses
PyTorch's own reader, so both see the same archive.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.errors import WeightsError
from fullconv.inference.runtimes import KEY
from fullconv.io.text import parse_json

if TYPE_CHECKING:
    from torch.export.pt2_archive._package import PT2ArchiveReader


DESCRIPTION = f"extra/{KEY}"
GRAPH, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = (
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
)
_FILES = re.compile(
    "|".join(re.escape(name) for name in (DESCRIPTION, GRAPH, SAMPLES, *CONFIGS))
    + r"|data/weights/weight_\d+|data/constants/tensor_\d+"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
)
# Tensor operations are pure, except the one that opens files.
_TARGETS = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|and_|or_|eq|ne|lt|le|gt|ge|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.sym_(max|min|not|int|float|ite)"
)
_FORMULA = re.compile(
    r"\d+|'[suz]\d+'|(?:positive|negative|integer|nonnegative)=(?:True|False)|[-(), ]"
    r"|Symbol|Integer|Rational|Add|Mul|Max|Min|Pow|FloorDiv|CleanDiv|CeilDiv|PythonMod|Mod"
    r"|CeilToInt|FloorToInt|TruncToInt|IntTrueDiv|FloatTrueDiv|ToFloat|Where"
    r"|GreaterThan|LessThan|StrictGreaterThan|StrictLessThan|Equality|Unequality|And|Or|Not"
)
_GUARD = re.compile(
    r"\d+|L\['image'\]\.size\(\)\[[0-3]\]|torch\.sym_(?:max|min)|math\.(?:ceil|floor|trunc)"
    r"|//|<=|>=|==|!=|\b(?:and|or|not)\b|[-+*/%<>(), ]"
)


def check_program(path: Path) -> str | None:
    """Check that a .pt2 file holds only what `fullconv export` writes; return its description.

    Raises:
        WeightsError: the file is missing or damaged, or holds anything else.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such model file")
    # Imported here: it imports PyTorch's compiler, which takes seconds.
    from torch.export.pt2_archive._package import PT2ArchiveReader

    try:
        with path.open("rb") as stream:
            archive = PT2ArchiveReader(stream)
            reason = next(_forbidden(archive), None)
            found = DESCRIPTION in archive.get_file_names()
            description = archive.read_string(DESCRIPTION) if found else None
    except Exception as error:  # PyTorch's reader raises many kinds of errors for a hostile file
        raise WeightsError(f"{path}: not a torch.export program ({error})") from error
    if reason:
        raise WeightsError(
            f"{path} holds {reason}, which `fullconv export` never writes and which could run code "
            "on this machine; it was not opened: export the model again, here"
        )
    return description


def _forbidden(archive: "PT2ArchiveReader") -> Iterator[str]:
    """Yield what the archive must not hold."""
    import torch  # which other exported files do without

    names = archive.get_file_names()
    yield from (f"the file {name!r}" for name in names if not _FILES.fullmatch(name))
    yield from ("a name twice" for name in names if names.count(name) > 1)
    for name in CONFIGS:
        for key, value in _items(parse_json(archive.read_string(name))):
            if key == "use_pickle" and value is not False:
                yield f"a pickle in {name}"
    try:
        torch.load(io.BytesIO(archive.read_bytes(SAMPLES)), weights_only=True)
    except Exception:
        yield "a pickle of objects among its examples"
    for key, value in _items(parse_json(archive.read_string(GRAPH))):
        if not _is_allowed(key, value):
            yield f"{key} {str(value)[:80]!r} in its graph"


def _is_allowed(key: str, value: Any) -> bool:
    """Return whether an entry of the graph is one that our networks have."""
    if key == "target":
        return _TARGETS.fullmatch(str(value)) is not None
    if key == "expr_str":
        return not _FORMULA.sub("", str(value))
    if key == "guards_code":
        return all(not _GUARD.sub("", str(guard)) for guard in value)
    if key in ("in_spec", "out_spec"):
        return "__enum__" not in str(value) and "defaultdict" not in str(value)
    return key not in ("as_operator", "as_custom_obj") and (key != "metadata" or not value)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _items(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _items(inner)
