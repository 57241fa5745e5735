"""A small Google Cloud Storage on this machine: what gcsfs asks of the JSON interface, no more.

It keeps the condition of a conditional write, cuts a small upload at its edge wherever that occurs,
and can be told to refuse, to be busy, and to lose the reply to what it has done.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_OBJECT = re.compile(r"/(?:download/|upload/)?storage/v1/b/([^/]+)(?:/o(?:/(.*))?)?")


class Bucketful(ThreadingHTTPServer):
    """Objects of every bucket in memory.

    Attributes:
        objects: bucket and key -> content.
        refused: keys that nobody may read.
        missing: buckets that are not there.
        busy: how many of the next requests are answered with 503 or 429.
        unknown: whether nobody is known here: every request is answered with 401.
        lost: how many of the next uploads are kept and get no reply.
        requests: method and path of every request.
        meeting: where requests for content wait for each other; None for nowhere.
    """

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a caller that hung up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[tuple[str, str], bytes] = {}
        self.generations: dict[tuple[str, str], int] = {}
        self.uploads: dict[str, tuple[str, str, str, bytearray]] = {}
        self.refused: set[str] = set()
        self.missing: set[str] = set()
        self.busy = 0
        self.unknown = False
        self.lost = 0
        self.requests: list[str] = []
        self.meeting: threading.Barrier | None = None
        self.counter = itertools.count(1)
        self.lock = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which gcsfs comes here, without an account."""
        return {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.server_port}",
            "FSSPEC_GCS_TOKEN": "anon",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def store(self, bucket: str, key: str, data: bytes, *, create: bool) -> bool:
        with self.lock:
            if create and (bucket, key) in self.objects:
                return False
            self.objects[bucket, key] = data
            self.generations[bucket, key] = next(self.counter)
            return True

    def about(self, bucket: str, key: str) -> dict[str, str]:
        data = self.objects[bucket, key]
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()
        generation = str(self.generations[bucket, key])
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": key,
            "size": str(len(data)),
            "md5Hash": digest,
            "etag": f"etag-{generation}",
            "generation": generation,
            "updated": "2026-01-01T00:00:00.000Z",
            "timeCreated": "2026-01-01T00:00:00.000Z",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucketful

    def _is_answered(self) -> bool:
        """Note a request and answer it at once, if the server is to fail or has no such bucket."""
        server = self.server
        with server.lock:
            server.requests.append(f"{self.command} {self.path}")
            busy, server.busy = server.busy, max(0, server.busy - 1)
        if busy:
            self._answer(429 if busy % 2 else 503, b'{"error": {"message": "slow down"}}')
        elif server.unknown:
            self._answer(401, b'{"error": {"message": "Anonymous caller has no access"}}')
        elif any(f"/b/{bucket}/" in self.path for bucket in server.missing):
            self._answer(404, b'{"error": {"message": "no such bucket"}}')
        else:
            return False
        return True

    def do_GET(self) -> None:
        if self._is_answered():
            return
        bucket, key, query = self._asked()
        if key is None:
            self._answer_json(self._listing(bucket, query))
        elif (bucket, key) not in self.server.objects:
            self._answer(404, b'{"error": {"message": "not found"}}')
        elif key in self.server.refused:
            self._answer(403, b'{"error": {"message": "forbidden"}}')
        elif query.get("alt") == "media":
            if self.server.meeting is not None:
                self.server.meeting.wait()
            self._answer_media(self.server.objects[bucket, key])
        else:
            self._answer_json(self.server.about(bucket, key))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._is_answered():
            return
        if self.path.startswith("/resume/"):
            self._continue(body)
            return
        bucket, _, query = self._asked()
        create = query.get("ifGenerationMatch") == "0"
        if query.get("uploadType") == "resumable":
            name = json.loads(body)["name"]
            ticket = str(next(self.server.counter))
            self.server.uploads[ticket] = (bucket, name, "create" if create else "", bytearray())
            address = f"{self.server.environment['STORAGE_EMULATOR_HOST']}/resume/{ticket}"
            self._answer(200, b"{}", Location=address)
            return
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
        assert boundary is not None
        mark = b"--" + boundary[1].encode()
        about, content = body.split(b"\n" + mark)[:2]
        name = json.loads(about.split(b"\n\n", 1)[1])["name"]
        self._store(bucket, name, content.split(b"\n\n", 1)[1], create=create)

    def _continue(self, part: bytes) -> None:
        """Take the next part of an upload; the object appears with the last one."""
        bucket, name, create, data = self.server.uploads[self.path.rsplit("/", 1)[1]]
        data += part
        span = re.fullmatch(r"bytes \d+-\d+/(\d+|\*)", self.headers["Content-Range"])
        assert span is not None
        if span[1] == str(len(data)):
            self._store(bucket, name, bytes(data), create=bool(create))
        else:
            self._answer(308, b"", Range=f"bytes=0-{len(data) - 1}")

    def do_DELETE(self) -> None:
        if self._is_answered():
            return
        if self.path.startswith("/resume/"):  # an upload is given up
            self._answer(499, b"")
            return
        bucket, key, _ = self._asked()
        with self.server.lock:
            gone = self.server.objects.pop((bucket, key or ""), None)
        self._answer(404 if gone is None else 204, b"")

    def _store(self, bucket: str, key: str, data: bytes, *, create: bool) -> None:
        if self.server.store(bucket, key, data, create=create):
            if self.server.lost:
                self.server.lost -= 1
                self.close_connection = True  # hang up: the caller cannot know
                return
            self._answer_json(self.server.about(bucket, key))
        else:
            self._answer(412, b'{"error": {"message": "conditionNotMet"}}')

    def _listing(self, bucket: str, query: dict[str, str]) -> dict[str, object]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, folders = [], set()
        for at, key in sorted(self.server.objects):
            if at != bucket or not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(self.server.about(bucket, key))
        return {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}

    def _asked(self) -> tuple[str, str | None, dict[str, str]]:
        address = urlsplit(self.path)
        match = _OBJECT.fullmatch(address.path)
        assert match is not None, self.path
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        return match[1], None if match[2] is None else unquote(match[2]), query

    def _answer_media(self, data: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match is None:
            self._answer(200, data)
            return
        first, last = int(match[1]), int(match[2] or len(data) - 1)
        if first >= len(data):
            self._answer(416, b"")
            return
        part = data[first : last + 1]
        span = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
        self._answer(206, part, **{"Content-Range": span})

    def _answer_json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def google_at(server: Bucketful) -> Iterator[None]:
    """Let gs:// of this process lead to a server until the block ends."""
    import fsspec
    import pytest

    def forget() -> None:
        for scheme in ("gs", "gcs"):
            fsspec.get_filesystem_class(scheme).clear_instance_cache()

    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
        forget()
        yield
    forget()


@contextmanager
def gcs_server() -> Iterator[Bucketful]:
    """Serve until the block ends."""
    with Bucketful() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
