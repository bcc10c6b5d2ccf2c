"""fullconv cache: show or clear what was converted, downloaded or computed once."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json

if TYPE_CHECKING:
    from fullconv.engines.cache import CachedNetwork


def command(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all of them; they are made again when needed.")
    ] = False,
    json: Json = None,
) -> None:
    """Show or clear the cache.

    `predict`, `evaluate` and `serve` convert a network once for ONNX Runtime or OpenVINO and keep
    it below FULLCONV_CACHE, XDG_CACHE_HOME/fullconv or ~/.cache/fullconv. The networks that were
    not used for longest are removed when all take more than 2 GiB. Beside them are the predictions
    of teachers, at most 4 GiB, and the bundled models that were downloaded.
    """
    from fullconv.engines.cache import MOST_BYTES, clear_cache, engine_cache, list_cache
    from fullconv.inference import shelf
    from fullconv.io.caches import cache_folder, cached_files, clear_cached, total_bytes
    from fullconv.training import teacher_files
    from fullconv.units import format_bytes

    folder, freed = engine_cache(), clear_cache() if clear else 0
    patterns = {teacher_files.PART: teacher_files.FILES, shelf.PART: shelf.cached_files()}
    freed += sum(clear_cached(*part) for part in patterns.items()) if clear else 0
    others = {name: total_bytes(cached_files(name, p)) for name, p in patterns.items()}
    found = list_cache()
    total = sum(item.bytes for item in found)
    if str(json) != "-":
        if clear:
            say(f"removed  {format_bytes(freed)}")
        say(f"cache  {folder}: {format_bytes(total)} of at most {format_bytes(MOST_BYTES)}")
        for item in found:
            used = datetime.fromtimestamp(item.used).strftime("%Y-%m-%d")
            say(f"{item.entry.name}  {format_bytes(item.bytes)}, last used {used}{_speeds(item)}")
        for name, taken in others.items():
            if taken:
                say(f"{name}  {cache_folder(name)}: {format_bytes(taken)}")
    networks = [
        {
            "folder": str(item.folder),
            "name": item.entry.name,
            "bytes": item.bytes,
            "used": item.used,
            "measured": [measured.model_dump(mode="json") for measured in item.measured],
        }
        for item in found
    ]
    write_json(json, {"folder": str(folder), "bytes": total, "networks": networks, **others})


def _speeds(item: "CachedNetwork") -> str:
    """Return the milliseconds of an image in each engine, as measured on this kind of machine."""
    from fullconv.engines import TITLES

    texts = [
        ", ".join(f"{TITLES.get(n, n)} {1e3 * s:.0f} ms" for n, s in measured.seconds.items())
        + f" at {measured.size[0]} x {measured.size[1]}"
        for measured in item.measured
    ]
    return "".join(f"; {text}" for text in texts)
