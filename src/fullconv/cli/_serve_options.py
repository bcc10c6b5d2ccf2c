"""The options of `fullconv serve`, and how their texts are parsed."""

import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._options import say_taken
from fullconv.errors import ConfigError, explain_os_error
from fullconv.hardware import MAX_THREADS

if TYPE_CHECKING:
    from fullconv.serving import LabelStudio as Source

KEY_VARIABLE = "FULLCONV_KEY"
LABEL_STUDIO_VARIABLE = "LABEL_STUDIO_API_KEY"
LEAST_KEY = 16  # characters
_HOST = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*\.?")
WATCH_SECONDS = 2.0  # between looks at run folders

MODELS = (
    "Run folders (their best checkpoints), .safetensors files, exported files or bundled "
    "models (fullconv models), each with a name or without: street=model.onnx. The first one "
    "predicts at /predict."
)

Models = Annotated[list[str], typer.Argument(metavar="MODEL", help=MODELS, callback=say_taken)]
Host = Annotated[
    str, typer.Option(metavar="NAME", help="Address to listen at; 0.0.0.0 is every network.")
]
Port = Annotated[int, typer.Option(metavar="N", help="Port; 0 is any free one.", min=0, max=65535)]
Uds = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Listen at a Unix socket instead.", show_default="none"),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File with the key that requests must have (Authorization: Bearer KEY), of at least "
        f"{LEAST_KEY} characters; or the variable {KEY_VARIABLE}.",
        show_default="no key",
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Another name of this server that requests may use; repeat it for several.",
        show_default="names of this machine, and --host",
    ),
]
Origin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Origin whose pages may use the server, e.g. https://labels.example; repeat it for "
        "several.",
        show_default="its own pages only",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Listen at other networks without a key.")
]
OpenMetrics = Annotated[bool, typer.Option("--open-metrics", help="Show /metrics without the key.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for all requests in progress, e.g. 2GiB; an eighth of it is for their bodies.",
        show_default="half of the free memory",
    ),
]
Threads = Annotated[
    int,
    typer.Option(metavar="N", help="CPU threads per photo.", min=1, max=MAX_THREADS),
]
AtOnce = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Photos computed at the same time.",
        show_default="cores / --threads, on a GPU 1",
        min=1,
        max=MAX_THREADS,
    ),
]
Queue = Annotated[
    int,
    typer.Option(
        metavar="N", help="Requests that wait; more are refused with 503.", min=0, max=10_000
    ),
]
MaxBody = Annotated[str, typer.Option(metavar="SIZE", help="Largest body of a request.")]
MaxPixels = Annotated[str, typer.Option(metavar="N", help="Most pixels of a photo, e.g. 12M.")]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", help="Longest time of a prediction.", min=0.1)
]
Grace = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="Time to finish the work in progress after a signal.", min=0
    ),
]
Corrections = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Data set that masks corrected on the page are saved in, with their photos.",
        show_default="not saved",
    ),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Replace the models of run folders by better checkpoints.")
]
NoPage = Annotated[bool, typer.Option("--no-page", help="Serve no web page at /.")]
LabelStudio = Annotated[
    str | None,
    typer.Option(
        "--label-studio",
        metavar="URL",
        help="Label Studio whose photos are fetched for its tasks, e.g. http://127.0.0.1:8080; the "
        f"variable {LABEL_STUDIO_VARIABLE} has an access token.",
        show_default="no photo is fetched",
    ),
]
RootPath = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="Where a proxy has the server, e.g. /segment.",
        show_default="at the root",
    ),
]
Executor = Annotated[
    str, typer.Option(metavar="NAME", help="Where to run: local, or ray (replicas on a cluster).")
]
Replicas = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="With --executor ray: processes that predict, each with these limits.",
        show_default="1",
        min=1,
        max=10_000,
    ),
]
Log = Annotated[str, typer.Option(metavar="FORM", help="Log lines: text or json.")]


def connect(url: str | None) -> "Source | None":
    """Return the Label Studio at an address, with the token in the variable; None for None.

    Raises:
        ConfigError: it is no address.
    """
    if url is None:
        return None
    from fullconv.serving import LabelStudio

    return LabelStudio(url, os.environ.get(LABEL_STUDIO_VARIABLE, "").strip() or None)


def check_exposure(host: str, key: str | None, insecure: bool) -> None:
    """Check that a server that other computers reach has a key.

    Raises:
        ConfigError: it has none.
    """
    if key is None and not insecure and not is_loopback(host):
        raise ConfigError(
            f"--host {host} lets other computers use the server; give it a key with --key-file, or "
            "allow everyone with --insecure"
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_header(host: str) -> str:
    """Return an address as it stands in a Host header: "::1" is "[::1]"."""
    return f"[{host}]".lower() if ":" in host and not host.startswith("[") else host.lower()


def parse_allowed(text: str) -> str:
    """Return a name that requests may use as it stands in a Host header, without port.

    Raises:
        ConfigError: no Host header has such a name.
    """
    name = host_header(text.strip())
    if _HOST.fullmatch(name):
        return name
    try:
        return f"[{ipaddress.IPv6Address(name.strip('[]'))}]"
    except ValueError as error:
        raise ConfigError(
            f"--allow-host {text[:100]}: expected a name or an address without scheme, port and "
            "path, as browsers send it, such as segment.example"
        ) from error


def parse_origin(text: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        ConfigError: it is no origin.
    """
    scheme, sign, rest = text.rstrip("/").partition("://")
    if scheme.lower() not in ("http", "https") or not sign or not rest or {*rest} & {*"/?#@ "}:
        raise ConfigError(
            f"--origin {text[:100]}: expected an origin such as https://labels.example"
        )
    if "*" in rest:
        raise ConfigError("--origin allows one origin each; a pattern would allow any page")
    usual = ":443" if scheme.lower() == "https" else ":80"  # which browsers leave out
    return f"{scheme}://{rest.removesuffix(usual)}".lower()


def read_key(path: Path | None) -> str | None:
    """Read the key from a file, or from the variable; None if there is none.

    Raises:
        ConfigError: it cannot be read, or is short or not plain text.
    """
    try:
        text = os.environ.get(KEY_VARIABLE) if path is None else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"--key-file {path} is not text") from error
    except OSError as error:
        raise ConfigError(f"--key-file: {explain_os_error(error)}") from error
    if text is None:
        return None
    key, where = text.strip(), KEY_VARIABLE if path is None else f"--key-file {path}"
    if len(key) < LEAST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{where} holds {len(key)} characters; expected one line of at least {LEAST_KEY} "
            "letters and digits, e.g. from: openssl rand -hex 32"
        )
    return key


def parse_count(text: str, option: str) -> int:
    """Parse a number of pixels: "250M" is 250,000,000.

    Raises:
        ConfigError: it is no number.
    """
    factors = {"K": 10**3, "M": 10**6, "G": 10**9}
    number, factor = text.strip().upper(), 1
    if number and number[-1] in factors:
        number, factor = number[:-1], factors[number[-1]]
    if not number.isdecimal() or not 0 < len(number) < 10 or not int(number):
        raise ConfigError(f"{option} {text[:40]}: expected a number of pixels such as 12M")
    return int(number) * factor
