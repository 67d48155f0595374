"""A web server of images for faults: it can be slow, answer 503, or do anything when something is asked for."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Server:
    """Serves contents by name; `hook(name, times)` comes before each answer and may give a status instead."""

    def __init__(self, contents: dict[str, bytes], hook: Callable[[str, int], int | None] | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.contents = contents
        self.hook = hook or (lambda name, times: None)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                outer.asked[name] += 1
                status = outer.hook(name, outer.asked[name]) or (200 if name in outer.contents else 404)
                body = outer.contents[name] if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def manifest(self, path) -> str:
        """A manifest of all contents, in order."""
        path.write_text("".join(f"{self.url}/{name}\n" for name in self.contents))
        return str(path)
