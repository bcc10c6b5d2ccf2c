"""A browser's window, controlled by the commands of the W3C WebDriver protocol."""

import time


class Session:
    """A window of a browser; see `firefox.py` and `webkit.py` for what sends the commands.

    A script's promise is awaited, as the protocol says.
    """

    def command(self, name, **given):
        """Send a command, such as "url" with its values, and return the result."""
        raise NotImplementedError

    def open(self, address):
        """Load an address."""
        self.command("url", url=address)

    def evaluate(self, expression):
        """Return the value of an expression in the page."""
        return self.command("execute/sync", script=f"return {expression}", args=[])

    def choose(self, selector, path):
        """Choose a file in an input."""
        found = self.command("element", using="css selector", value=selector)
        (element,) = found.values()
        self.command(f"element/{element}/value", text=str(path))


def patient(connect, what, seconds=120):
    """Return what `connect` returns, once it raises no OSError."""
    end = time.monotonic() + seconds
    while True:
        try:
            return connect()
        except OSError:
            assert time.monotonic() < end, f"{what} does not start"
            time.sleep(0.2)


def end(process):
    """End a process; kill it if it does not."""
    process.terminate()
    try:
        process.wait(20)
    except Exception:
        process.kill()
        process.wait()
