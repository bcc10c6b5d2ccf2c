"""Memory and responses of `fullconv serve` over minutes of steady load, with clients that leave.

Run: python benchmarks/soak.py [MODEL] [--minutes 20] [--rate 3]. One request in a hundred closes
its connection before the response. Every minute, a line with the responses so far and the resident
memory (RSS); at the end, the memory after the first fifth of the time against that of the last.
"""

import argparse
import http.client
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from serve import Server, serving, untrained

import fullconv as fc
from fullconv.io.images import encode_jpeg

SIZES = ((360, 480), (480, 640), (240, 320), (301, 407))
FORMATS = ("labels", "overlay", "json", "areas")
LEAVERS = 0.01


def ask(server: Server, photo: bytes, leave: bool, statuses: Counter) -> None:
    """Send one photo, and count the status of its response."""
    path = f"/predict?format={random.choice(FORMATS)}"
    if not leave:
        try:
            statuses[server.ask("POST", path, photo)[0]] += 1
        except OSError as error:
            statuses[type(error).__name__] += 1
        return
    connection = http.client.HTTPConnection(server.address)
    connection.request("POST", path, photo)
    time.sleep(random.uniform(0, 0.2))
    connection.close()
    statuses["left"] += 1


def soak(server: Server, photos: list[bytes], minutes: float, rate: float) -> None:
    """Send photos at a rate, and print memory and statuses every minute."""
    statuses: Counter = Counter()
    memory, start = [], time.monotonic()
    sent = 0
    while (now := time.monotonic() - start) < 60 * minutes:
        if now * rate > sent:
            leave = random.random() < LEAVERS
            arguments = (server, random.choice(photos), leave, statuses)
            threading.Thread(target=ask, args=arguments, daemon=True).start()
            sent += 1
        if now / 60 >= len(memory):
            memory.append(server.memory("VmRSS"))
            print(
                f"{now / 60:5.1f} min  {memory[-1] / 2**20:6.0f} MiB  {dict(statuses)}", flush=True
            )
        time.sleep(max(0.0, sent / rate - (time.monotonic() - start)))
    memory.append(server.memory("VmRSS"))
    warm, last = memory[max(1, len(memory) // 5)], memory[-1]
    print(f"soak      {sent} requests in {minutes:g} min: {dict(statuses)}")
    print(
        f"memory    RSS {warm / 2**20:.0f} MiB after a fifth, {last / 2**20:.0f} MiB at the end "
        f"({100 * (last / warm - 1):+.1f} %), peak {server.memory('VmHWM') / 2**20:.0f} MiB"
    )


def main() -> None:
    """Start a server and load it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=3, help="requests a second")
    given = parser.parse_args()
    random.seed(0)
    scenes = [fc.open_data(f"scenes:1@{height}x{width}")[0].image for height, width in SIZES]
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or untrained(Path(folder, "model.safetensors"))
        with serving(model, "--memory", "400MiB") as server:
            soak(server, [encode_jpeg(scene) for scene in scenes], given.minutes, given.rate)


if __name__ == "__main__":
    main()
