"""Check that no file of the user or of another program is replaced: by jobs, merges and rasters.

Each says which files it is about to write, and which of them it knows to be its own.
"""

from collections.abc import Container, Iterable

from fullconv.errors import ConfigError
from fullconv.io.storage import Folder, Place


def check_own_files(
    target: Place, files: Iterable[str], own: Container[str], remedy: str = ""
) -> None:
    """Check that files which will be written do not exist yet, or are the job's own.

    A link in the place of a file is a file that exists.

    Args:
        target: the place to write to.
        files: names below it.
        own: those that may be replaced, if they exist.
        remedy: what else the user can do, e.g. "replace it with --fresh".

    Raises:
        ConfigError: one of them exists, and is not the job's own.
    """
    known: dict[str, set[str]] = {}  # each folder is listed once
    for path in files:
        if path in own:
            continue
        folder, _, name = path.rpartition("/")
        if folder not in known:
            known[folder] = target.names(folder, links=True)
        if name in known[folder]:
            where = target.root / path if isinstance(target, Folder) else f"{target}/{path}"
            more = f", or {remedy}" if remedy else ""
            raise ConfigError(
                f"{where} exists, and is not a file of this job, so it may be another program's; "
                f"move it, or choose another place with --out{more}"
            )
