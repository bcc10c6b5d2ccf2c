"""Parse a page that fullconv wrote."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.tags = []
        self.text = ""
        self.open = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "source", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += f" {data.strip()}" if data.strip() else ""

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]
