"""Check pages with axe-core, which npm's client fetches."""

from npm import fetch

VERSION = "4.14.1"
SCRIPT = "axe.min.js"
DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def fetch_axe(folder):
    """Return the code of axe-core; skip the test if npm cannot fetch it."""
    return (fetch("axe-core", VERSION, SCRIPT, DIGEST, folder) / SCRIPT).read_text()


def violations(page, axe):
    """Return what axe-core finds wrong in a page: rule, help, and the elements.

    The code is evaluated by the browser's debugger, so the page's policy stays as it is.
    """
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
