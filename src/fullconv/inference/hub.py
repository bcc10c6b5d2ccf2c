"""Model files of Hugging Face's hub: hf://USER/REPOSITORY@REVISION.

One file is downloaded, model.safetensors of the given revision, into the cache of huggingface_hub;
nothing in the repository is executed.
"""

import re
from pathlib import Path

from fullconv.errors import WeightsError, printable

FILE = "model.safetensors"
_HUB = re.compile(r"hf:/{1,2}(?!/)(.*)", re.DOTALL)  # a Path has one slash
_PLACE = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})@([\w./-]{1,200})", re.ASCII)


def is_hub(source: str | Path) -> bool:
    """Return whether a text is an address on the hub."""
    return _HUB.fullmatch(str(source)) is not None


def parse_hub(source: str | Path) -> tuple[str, str]:
    """Return repository and revision of an address.

    Raises:
        WeightsError: it has another form, or no revision.
    """
    found = _HUB.fullmatch(str(source))
    place = _PLACE.fullmatch(found[1]) if found else None
    if place is None:
        shown = printable(found[1] if found else str(source))[:100]
        raise WeightsError(
            f"hf://{shown}: expected hf://USER/REPOSITORY@REVISION; the revision, a commit or a "
            "tag, says which file is meant"
        )
    return place[1], place[2]


def hub_file(source: str | Path) -> Path:
    """Return the model file of an address, which is downloaded if it is not in the cache.

    Raises:
        WeightsError: there is no such file, or the hub cannot be reached.
    """
    repository, revision = parse_hub(source)
    address = f"hf://{repository}@{revision}"
    import huggingface_hub as hub  # slow, and needed by few
    from huggingface_hub import errors

    try:
        return Path(hub.hf_hub_download(repository, FILE, revision=revision))
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _unreachable(address) from error
        raise WeightsError(
            f"{address}: the repository has no {FILE}; expected one that `fullconv export --for "
            "huggingface` wrote"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(f"{address}: the repository has no revision {revision!r}") from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsError(
            f"{address}: there is no such repository, or it is private: log in with `hf auth "
            "login`, or set HF_TOKEN"
        ) from error
    except Exception as error:  # of the network, of names, of the HTTP library that the hub uses
        if isinstance(error, errors.HFValidationError):
            raise WeightsError(f"{address}: {str(error).splitlines()[0][:200]}") from error
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception | None = None) -> WeightsError:
    reason = f" ({type(error).__name__})" if error else ""
    return WeightsError(
        f"{address}: it is not in the cache, and the hub cannot be reached{reason}; connect, "
        f"unset HF_HUB_OFFLINE, or download {FILE} elsewhere and give its path"
    )
