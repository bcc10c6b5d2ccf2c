"""fullconv serve: predict photos over HTTP."""

import sys
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

import typer

from fullconv.cli import _serve_options as options
from fullconv.cli._console import say, say_error
from fullconv.cli._options import Device, Engine, Quiet
from fullconv.cli._serve_log import check_form, logging_to_stderr
from fullconv.cli._signals import EXIT_CODES, collect_signals, exit_now

if TYPE_CHECKING:
    from fullconv.serving import Access, Limits
    from fullconv.serving.executors import BoundServer, Executor, ServerPlan


def command(
    models: options.Models,
    host: options.Host = "127.0.0.1",
    port: options.Port = 8000,
    uds: options.Uds = None,
    key_file: options.KeyFile = None,
    allow_host: options.AllowHost = None,
    origin: options.Origin = None,
    insecure: options.Insecure = False,
    open_metrics: options.OpenMetrics = False,
    memory: options.Memory = None,
    threads: options.Threads = 1,
    at_once: options.AtOnce = None,
    queue: options.Queue = 32,
    max_body: options.MaxBody = "64MiB",
    max_pixels: options.MaxPixels = "250M",
    timeout: options.Timeout = 60,
    grace: options.Grace = 30,
    root_path: options.RootPath = "",
    corrections: options.Corrections = None,
    watch: options.Watch = False,
    label_studio: options.LabelStudio = None,
    no_page: options.NoPage = False,
    log: options.Log = "text",
    executor: options.Executor = "local",
    replicas: options.Replicas = None,
    engine: Engine = "auto",
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Predict photos over HTTP.

    POST /predict takes a photo and returns the file that `fullconv predict` writes, for example:
    curl --data-binary @photo.jpg http://127.0.0.1:8000/predict -o labels.png
    """
    _require_packages()
    from fullconv.serving import EngineOptions, Settings
    from fullconv.serving.executors import ServerPlan, executors

    check_form(log)
    open_server = executors[executor]
    access = _access(host, key_file, allow_host, origin, insecure, open_metrics, uds is not None)
    studio = options.connect(label_studio)
    chosen, count = _choose_device(device, models), replicas or 1
    if executor != "local":
        at_once = at_once or 1  # more photos at once are more replicas
    limits = _limits(chosen, memory, threads, at_once, queue, max_body, max_pixels, timeout, count)
    announce = (lambda text: None) if quiet else say
    total = None if memory is None else limits.photo_memory
    plan = ServerPlan(
        models,
        limits,
        access,
        Settings(not no_page, corrections, options.WATCH_SECONDS if watch else None, studio),
        EngineOptions(engine, limits.at_once, total, announce=announce),
        chosen,
        host,
        port,
        uds,
        grace,
        root_path.rstrip("/"),
        count,
    )
    _serve(open_server, plan, log, quiet)


def _require_packages() -> None:
    """Raise a MissingExtraError if a package of the extra `serve` is not installed."""
    from fullconv.errors import require

    for package in ("starlette", "uvicorn", "python_multipart", "prometheus_client"):
        require(package, extra="serve", what="fullconv serve")


def _serve(open_server: "Executor", plan: "ServerPlan", log: str, quiet: bool) -> None:
    """Open the models, say where they are served, and serve them until a signal comes."""
    with open_server(plan) as server:
        if not quiet:
            say(_address(plan.uds, plan.host, server.port))
            sys.stdout.flush()
        if plan.access.key is None and plan.uds is None and not options.is_loopback(plan.host):
            say_error("warning: every computer that reaches this address can use the server")
        received = _run(server, log, quiet)
    if received:
        raise typer.Exit(EXIT_CODES[received[0]])


def _run(server: "BoundServer", log: str, quiet: bool) -> list[Signals]:
    """Serve until a signal comes, and return the signals."""
    with collect_signals() as received, logging_to_stderr(log, quiet):
        still_computes = server.run(received)
        if received and (len(received) > 1 or still_computes):
            exit_now(received[0])  # not after computations whose results are no longer needed
    return received


def _choose_device(device: str, models: list[str]) -> str:
    """Return the device that --device names; the CPU for exported files only.

    They are computed without PyTorch, whose import takes seconds.
    """
    from fullconv.hardware import choose_device
    from fullconv.serving import are_exported

    is_cpu = device in ("auto", "cpu") and are_exported(models)
    return "cpu" if is_cpu else str(choose_device(device))


def _access(
    host: str,
    key_file: Path | None,
    allow_host: list[str] | None,
    origin: list[str] | None,
    insecure: bool,
    open_metrics: bool,
    is_local: bool,
) -> "Access":
    from fullconv.serving import LOOPBACK, Access

    key = options.read_key(key_file)
    if not is_local:
        options.check_exposure(host, key, insecure)
    names = map(options.parse_allowed, allow_host or ())
    hosts = LOOPBACK | {options.host_header(host), *names}
    origins = frozenset(map(options.parse_origin, origin or ()))
    return Access(key, hosts, origins, open_metrics)


def _limits(
    device: str,
    memory: str | None,
    threads: int,
    at_once: int | None,
    queue: int,
    max_body: str,
    max_pixels: str,
    timeout: float,
    replicas: int,
) -> "Limits":
    from fullconv.hardware import SHARE, free_memory, set_threads, usable_cores
    from fullconv.serving import Limits
    from fullconv.units import parse_bytes

    set_threads(threads)
    usual = max(1, usable_cores() // threads) if device == "cpu" else 1
    return Limits(
        memory=int(SHARE * free_memory() / replicas) if memory is None else parse_bytes(memory),
        at_once=at_once or usual,
        threads=threads,
        queue=queue,
        max_body=parse_bytes(max_body),
        max_pixels=options.parse_count(max_pixels, "--max-pixels"),
        seconds=timeout,
    )


def _address(uds: Path | None, host: str, port: int | None) -> str:
    if uds is not None:
        return f"serving at the socket {uds}"
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else options.host_header(host)
    return f"serving at http://{shown}:{port}"
