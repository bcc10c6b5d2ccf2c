"""What `fullconv serve` adds to a prediction, under load, when clients leave, and at its end.

Run: python benchmarks/serve.py [MODEL] [--photos N]. Without a model, an untrained FCN-8s on VGG-11
with batch norm at a quarter of its width is used. Photos are drawn scenes of 360 x 480 as JPEG.

- start: seconds from the command to readiness, beside those that importing PyTorch takes, of a
  model that is new to the machine (and when its engines are measured), of one whose engines are
  known, and of its exported file, without PyTorch.
- overhead: of requests one after the other, the time that a client waits beyond decoding,
  computation and encoding (`Server-Timing`).
- overload: ten times as many clients as there are places, at once: statuses, the 99th percentile of
  accepted requests against (queue + 1) times a request alone, and the peak memory beyond that of
  the idle server against `--memory`.
- refusal: the time of requests one after the other while all places are taken.
- throughput: photos a second that two clients get of a server that computes one at a time, against
  what the stages of these photos alone would allow.
- leaving: seconds until the place and the computation of a client that left are free.
- end: four requests in progress when SIGTERM comes.
"""

import argparse
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import torch

import fullconv as fc
from fullconv.export.export import export
from fullconv.io.images import decode_image, encode_jpeg

QUEUE, MEMORY = 8, 2**30
SWITCH = 2  # seconds in which the server changes to the fastest


class Server:
    """A server process; `address` is HOST:PORT."""

    def __init__(self, model: Path, *options: str, cache: Path | None = None) -> None:
        command = [sys.executable, "-m", "fullconv", "serve", str(model), "--port", "0", *options]
        start = self.began = time.perf_counter()
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        if cache is not None:
            environment["FULLCONV_CACHE"] = str(cache)
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self.process.stdout
        lines = iter(self.process.stdout.readline, "")  # others are about the engine
        self.address = next(line for line in lines if "//" in line).split("//")[1].strip()
        while not self.ready():
            time.sleep(0.02)
        self.seconds = time.perf_counter() - start

    def ready(self) -> bool:
        """Return whether it takes work."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict, float]:
        """Return status, headers and seconds of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=600)
        start = time.perf_counter()
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            response.read()
            return response.status, dict(response.getheaders()), time.perf_counter() - start
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        with urlopen(f"http://{self.address}/metrics") as response:
            text = response.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (.+)$", text, re.M))

    def memory(self, name: str) -> int:
        """Return bytes of /proc's VmRSS or VmHWM."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024


@contextmanager
def serving(model: Path, *options: str, cache: Path | None = None) -> Iterator[Server]:
    """Run a server until the block ends."""
    server = Server(model, *options, cache=cache)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def stages(headers: dict) -> float:
    """Return the seconds of decoding, computation and encoding."""
    found = dict(re.findall(r"(\w+);dur=([\d.]+)", headers["server-timing"]))
    return sum(float(found[name]) for name in ("decode", "compute", "encode")) / 1000


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def start(model: Path, photo: bytes, folder: Path) -> None:
    """Measure the start of a server."""
    times = [timed(sys.executable, "-c", "import torch") for _ in range(3)]
    print(f"start     importing torch alone takes {min(times):.1f} s")
    cache, exported = folder / "cache", folder / "model.onnx"
    export(fc.load(model), exported, [decode_image(photo, "photo")])
    for name, path in (("new", model), ("known", model), ("exported", exported)):
        with serving(path, cache=cache) as server:
            found = f"start     {name:8} ready after {server.seconds:.1f} s"
            found += f", {server.memory('VmRSS') / 2**20:.0f} MiB"
            if name == "new":
                while not is_measured(cache) and server.process.poll() is None:
                    time.sleep(0.1)
                found += f"; engines measured after {time.perf_counter() - server.began:.0f} s"
                time.sleep(SWITCH)
            headers = server.ask("POST", "/predict", photo)[1]
            print(f"{found}; computed by {headers['fullconv-engine']}", flush=True)


def is_measured(cache: Path) -> bool:
    """Return whether the engines of a network are in the cache, with their times."""
    return any(file.name != "entry.json" for file in cache.glob("engines/*/*.json"))


def timed(*command: str) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def overhead(server: Server, photo: bytes, count: int) -> None:
    """Measure requests one after the other."""
    for _ in range(5):
        server.ask("POST", "/predict", photo)
    beyond, alone = [], []
    for _ in range(count):
        status, headers, seconds = server.ask("POST", "/predict", photo)
        assert status == 200
        beyond.append(seconds - stages(headers))
        alone.append(seconds)
    print(
        f"overhead  median {1000 * median(beyond):.1f} ms, 99th percentile "
        f"{1000 * percentile(beyond, 0.99):.1f} ms, of requests of {1000 * median(alone):.0f} ms"
    )


def throughput(server: Server, photo: bytes, count: int) -> None:
    """Measure two clients that send one photo after the other."""
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: server.ask("POST", "/predict", photo), range(count)))
    seconds = time.perf_counter() - start
    busy = sum(stages(headers) for _, headers, _ in found)
    print(
        f"through   {count / seconds:.2f} photos a second; the stages alone, one after the other: "
        f"{count / busy:.2f} ({100 * busy / seconds:.0f} %)"
    )


def overload(model: Path, photo: bytes, large: bytes) -> None:
    """Measure more clients than places, and refusals."""
    options = ("--queue", str(QUEUE), "--at-once", "1", "--memory", str(MEMORY))
    with serving(model, *options) as server:
        alone = median(server.ask("POST", "/predict", photo)[2] for _ in range(10))
        idle = server.memory("VmRSS")
        clients = 10 * (QUEUE + 1)
        with ThreadPoolExecutor(clients) as pool:
            found = list(pool.map(lambda _: server.ask("POST", "/predict", photo), range(clients)))
        accepted = [seconds for status, _, seconds in found if status == 200]
        print(
            f"overload  {dict(Counter(status for status, _, _ in found))}; accepted: 99th "
            f"percentile {percentile(accepted, 0.99):.2f} s, (queue + 1) x alone "
            f"{(QUEUE + 1) * alone:.2f} s; peak {(server.memory('VmHWM') - idle) / 2**20:.0f} MiB "
            f"above idle, --memory {MEMORY / 2**20:.0f} MiB"
        )
        with ThreadPoolExecutor(QUEUE + 1) as pool:
            for _ in range(QUEUE + 1):
                pool.submit(server.ask, "POST", "/predict", large)
            while server.metric("fullconv_waiting") < QUEUE:
                time.sleep(0.01)
            refused = [server.ask("POST", "/predict", photo) for _ in range(20)]
            server.process.kill()
        times = [1000 * seconds for status, _, seconds in refused if status == 503]
        print(f"refusal   median {median(times):.0f} ms, largest {max(times):.0f} ms")


def leaving(server: Server, photo: bytes) -> None:
    """Measure clients that close their connection during the computation."""
    waits = []
    for _ in range(5):
        connection = http.client.HTTPConnection(server.address)
        connection.request("POST", "/predict", photo)
        while server.metric("fullconv_running") < 1:
            time.sleep(0.01)
        time.sleep(0.2)
        start = time.perf_counter()
        connection.close()
        while server.metric("fullconv_running") + server.metric("fullconv_waiting"):
            time.sleep(0.01)
        waits.append(time.perf_counter() - start)
    print(f"leaving   place and computation free after {max(waits):.2f} s at most, of 5 times")


def end(model: Path, photo: bytes) -> None:
    """Send SIGTERM while four requests are in progress."""
    with serving(model, "--at-once", "1", "--grace", "300", "--timeout", "300") as server:
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(server.ask, "POST", "/predict", photo) for _ in range(4)]
            while server.metric("fullconv_waiting") + server.metric("fullconv_running") < 4:
                time.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            try:
                ready = server.ask("GET", "/readyz")[0]
            except OSError:
                ready = 0
            statuses = [task.result()[0] for task in asked]
        print(f"end       {statuses}, /readyz {ready}, exit code {server.process.wait(60)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or untrained(Path(folder, "model.safetensors"))
        scene = fc.open_data("scenes:1@360x480")[0].image
        photo = encode_jpeg(scene)
        large = encode_jpeg(scene.repeat(5, 0).repeat(5, 1))
        if model.suffix == ".safetensors":
            start(model, photo, Path(folder))
        with serving(model, "--memory", "400MiB", "--at-once", "1") as server:
            overhead(server, photo, given.photos)
            throughput(server, photo, given.photos)
            leaving(server, large)
        overload(model, photo, large)
        end(model, large)


def untrained(path: Path) -> Path:
    """Save a network with random weights."""
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg11_bn", classes=11, width=0.25)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.01)
    fc.Model(network, [f"class {number}" for number in range(11)]).save(path)
    return path


if __name__ == "__main__":
    main()
