"""A small web server for tests of downloads, with the faults that real ones have."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Site:
    """What the server gives and how it misbehaves; ``asked`` holds (path, Range) per request."""

    files: dict[str, bytes]
    ranges: bool = True  # whether it understands Range
    tag: str | None = '"v1"'
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    chunked: bool = False  # an answer without its length
    overlap: int = 0  # bytes by which a range begins earlier than asked
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """The site on a free local port, while the block runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            body = site.files.get(self.path.lstrip("/"))
            if body is None:
                self.send_error(404, "Not Found")
                return
            start = 0
            valid = self.headers.get("If-Range") in (None, site.tag)
            if site.ranges and wanted and valid:
                asked = int(wanted.removeprefix("bytes=").rstrip("-"))
                if asked >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                start = max(0, asked - site.overlap)
            self.send_response(206 if start or (wanted and site.ranges and valid) else 200)
            if start or (wanted and site.ranges and valid):
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if site.tag:
                self.send_header("ETag", site.tag)
            if site.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cut = site.cuts.pop(0) if site.cuts else None
            rest = body[start:] if cut is None else body[start : start + cut]
            if site.chunked:
                self.wfile.write(f"{len(rest):x}\r\n".encode() + rest + b"\r\n")
                if cut is None:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(rest)
            self.wfile.flush()
            if cut is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
