"""A Label Studio that serves one photo, for the tests of the server's backend."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from fullconv.io.images import encode_png

PIXELS = np.random.default_rng(3).integers(0, 256, (33, 47, 3), np.uint8)
PHOTO = encode_png(PIXELS)
PATH = "/data/upload/1/0a1b2c3d-a b.png"
REFRESH, ACCESS = "aa.bb.cc", "dd.ee.ff"


class Tool(BaseHTTPRequestHandler):
    """A Label Studio that serves one photo, and misbehaves at other paths."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(self.path)
        good = self.path == "/api/token/refresh" and body == {"refresh": REFRESH}
        self.answer(200 if good else 401, json.dumps({"access": ACCESS}).encode())

    def do_GET(self):
        self.server.seen.append(self.path)
        path = self.path.partition("?")[0]
        if path == "/data/redirect.png":
            self.send_response(302)
            self.send_header("Location", "/data/upload/1/0a1b2c3d-a%20b.png")
            self.end_headers()
        elif path == "/data/long.png":
            self.answer(200, b"0" * 5000)
        elif path == "/data/text.png":
            self.answer(200, b"no picture")
        elif self.headers.get("Accept") != "*/*":
            self.answer(406, b"")  # as Label Studio answers at its paths of files
        elif self.server.token and self.headers.get("Authorization") != self.server.token:
            self.answer(401, b"")
        elif path in ("/data/upload/1/0a1b2c3d-a%20b.png", "/data/local-files/"):
            self.answer(200, PHOTO)
        else:
            self.answer(404, b"")

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def tool(token=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tool)
    server.seen, server.token = [], token
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
