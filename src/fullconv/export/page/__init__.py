"""The web page that segments photos: its code, put together with a model or for a server."""
