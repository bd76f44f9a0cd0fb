"""A Hub on loopback: the part of the Hub's HTTP API that pushing and pulling use, in the standard library alone.

The unmodified `huggingface_hub` client talks to it through `HF_ENDPOINT`. It answers as the Hub does (status codes,
`X-Error-Code`, ETags, ranges, commit by commit) and can be told to misbehave: drop a connection in the middle of a file,
answer 500 or 429 a number of times, take no file above a size. It has no Xet storage and says so as a Hub without it would,
so clients that have `hf_xet` need `HF_HUB_DISABLE_XET=1`.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from repositories import Refused, Repositories

WRITE_TOKEN, READ_TOKEN = "hf_loopbackwritetoken", "hf_loopbackreadtoken"


@dataclass
class Fault:
    """Misbehaviour for the next requests of a method whose path matches.

    `answer` is a status (with `headers`), "drop" (the connection closes after `after_bytes` of what is sent) or "cut" (the
    answer ends half-way).
    """

    method: str
    pattern: str
    answer: int | str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    after_bytes: int = 0


class LoopbackHub(ThreadingHTTPServer):
    """The server; use as a context manager.

    Args:
        folder (`Path`): where repositories lie.
        largest_file (`int`, *optional*): bytes of the largest file it takes.

    Attributes:
        url (`str`): for `HF_ENDPOINT`.
        requests (`list[tuple[str, str, int]]`): method, path and status of what was answered.
        faults (`list[Fault]`): misbehaviour to come.
    """

    daemon_threads = True

    def __init__(self, folder: Path, largest_file: int | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = Repositories(Path(folder))
        self.largest_file, self.faults, self.requests = largest_file, [], []
        self.users = {WRITE_TOKEN: ("tester", "write"), READ_TOKEN: ("reader", "read")}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def fault(self, method: str, pattern: str, answer: int | str, times: int = 1, **options) -> None:
        """Adds a fault; see `Fault`."""
        self.faults.append(Fault(method, pattern, answer, times, **options))

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self.repositories.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.pattern, path):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""


_ID = r"(?P<name>[^/]+/[^/]+)"
_KIND = r"(?P<kind>models|datasets)"
_ROUTES = [
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/validate-yaml", "validate_yaml"),
    ("POST", r"/api/repos/create", "create"),
    ("DELETE", r"/api/repos/delete", "delete"),
    ("POST", rf"/api/{_KIND}/{_ID}/preupload/(?P<revision>[^/]+)", "preupload"),
    ("POST", rf"/api/{_KIND}/{_ID}/commit/(?P<revision>[^/]+)", "commit"),
    ("GET", rf"/api/{_KIND}/{_ID}", "info"),
    ("GET", rf"/api/{_KIND}/{_ID}/revision/(?P<revision>[^/]+)", "info"),
    ("GET", rf"/api/{_KIND}/{_ID}/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?", "tree"),
    ("POST", rf"/api/{_KIND}/{_ID}/paths-info/(?P<revision>[^/]+)", "paths_info"),
    ("GET", rf"/api/{_KIND}/{_ID}/refs", "refs"),
    ("GET", rf"/api/{_KIND}/{_ID}/commits/(?P<revision>[^/]+)", "commits"),
    ("POST", rf"/api/{_KIND}/{_ID}/branch/(?P<ref>[^/]+)", "make_branch"),
    ("DELETE", rf"/api/{_KIND}/{_ID}/branch/(?P<ref>[^/]+)", "drop_branch"),
    ("POST", rf"/api/{_KIND}/{_ID}/tag/(?P<revision>[^/]+)", "make_tag"),
    ("DELETE", rf"/api/{_KIND}/{_ID}/tag/(?P<ref>[^/]+)", "drop_tag"),
    ("POST", rf"/(?:(?P<kind>datasets)/)?{_ID}\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", r"/lfs/(?P<sha256>[0-9a-f]{64})", "lfs_put"),
    ("POST", r"/lfs/verify", "lfs_verify"),
    ("HEAD", rf"/(?:(?P<kind>datasets)/)?{_ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
    ("GET", rf"/(?:(?P<kind>datasets)/)?{_ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
]
_WRITES = {
    "create",
    "delete",
    "preupload",
    "commit",
    "make_branch",
    "drop_branch",
    "make_tag",
    "drop_tag",
    "lfs_batch",
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackHub
    cut = False

    def log_message(self, *_):
        """Silence."""

    # One request ------------------------------------------------------------------------------------------------------

    def _handle(self):
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        try:
            self._misbehave(url.path)
            self._route(url.path)
        except Refused as refused:
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self._answer(refused.status, refused.body, {name: value for name, value in headers.items() if value})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _route(self, path: str):
        for method, pattern, action in _ROUTES:
            match = re.fullmatch(pattern, path) if method == self.command else None
            if match:
                values = {key: unquote(value) if value else value for key, value in match.groupdict().items()}
                if "kind" in values:
                    values["kind"] = values["kind"] or "models"
                self._admit(action, values)
                return getattr(self, f"_{action}")(**values)
        self._body()
        raise Refused(404, "", f"Sorry, we can't find the page you are looking for: {path}")

    def _misbehave(self, path: str):
        fault = self.server.next_fault(self.command, path)
        if fault is None:
            return
        if fault.answer == "drop":
            self.rfile.read(fault.after_bytes)
            self.server.requests.append((self.command, path, 0))
            self.close_connection = True
            self.connection.close()
            raise ConnectionAbortedError
        if fault.answer == "cut":
            self.cut = True
            return
        self._body()
        self._answer(fault.answer, {"error": "told to fail"}, fault.headers)
        raise ConnectionAbortedError

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, OSError, ValueError):
            self.close_connection = True

    def _user(self) -> tuple[str, str] | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        if token and token not in self.server.users:
            self._body()
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return self.server.users.get(token)

    def _admit(self, action: str, values: dict):
        user = self._user()
        if action in _WRITES:
            if user is None:
                self._body()
                raise Refused(401, "", "Invalid username or password.")
            if user[1] != "write" or values.get("name", f"{user[0]}/").split("/")[0] != user[0]:
                self._body()
                raise Refused(403, "", "you don't have the rights to write to this repository")
        if "name" in values and self.server.repositories.read(values["kind"], values["name"])["private"]:
            if user is None or user[0] != values["name"].split("/")[0]:
                raise Refused(404 if user else 401, "RepoNotFound", "Repository not found")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionAbortedError  # the client went away half-way: nothing of it counts
        return content

    def _json(self) -> dict:
        return json.loads(self._body() or b"{}")

    def _answer(self, status: int, content: dict | list | bytes | None = None, headers: dict | None = None):
        payload = (
            content if isinstance(content, bytes) else json.dumps(content if content is not None else {}).encode()
        )
        headers = {"Content-Type": "application/json", "Content-Length": str(len(payload)), **(headers or {})}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.server.requests.append((self.command, urlsplit(self.path).path, status))
        if self.cut:
            self.wfile.write(payload[: len(payload) // 2])
            self.wfile.flush()
            raise ConnectionAbortedError
        if self.command != "HEAD":
            self.wfile.write(payload)

    # Accounts and repositories ----------------------------------------------------------------------------------------

    def _whoami(self):
        user = self._user()
        if user is None:
            raise Refused(401, "", "Invalid username or password.")
        access = {"accessToken": {"displayName": "test", "role": user[1]}}
        self._answer(
            200, {"type": "user", "id": user[0], "name": user[0], "fullname": user[0], "orgs": [], "auth": access}
        )

    def _validate_yaml(self):
        content = self._json()["content"]
        match = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(\r?\n|$)", content, flags=re.DOTALL)
        try:
            data = yaml.safe_load(match.group(1)) if match else {}
        except yaml.YAMLError as error:
            return self._answer(400, {"errors": [{"message": f"YAML: {error}"}], "warnings": []})
        if not isinstance(data, dict):
            return self._answer(400, {"errors": [{"message": "metadata is no mapping"}], "warnings": []})
        warnings = [] if data else [{"message": "empty or missing yaml metadata in repo card"}]
        self._answer(200, {"errors": [], "warnings": warnings})

    def _repository_asked(self) -> tuple[str, str, dict]:
        asked = self._json()
        user = self._user()[0]
        owner = asked.get("organization") or user
        if owner != user:
            raise Refused(403, "", f"you don't have the rights to create a repository under the namespace {owner!r}")
        return f"{asked.get('type') or 'model'}s", f"{owner}/{asked['name']}", asked

    def _create(self):
        kind, name, asked = self._repository_asked()
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        new = self.server.repositories.create(kind, name, private)
        url = f"{self.server.url}/{'' if kind == 'models' else kind + '/'}{name}"
        if new:
            self._answer(200, {"url": url, "name": name})
        else:
            self._answer(409, {"url": url, "error": "You already created this model repo"})

    def _delete(self):
        kind, name, _ = self._repository_asked()
        self.server.repositories.delete(kind, name)
        self._answer(200)

    def _info(self, kind, name, revision="main"):
        repositories = self.server.repositories
        repository = repositories.read(kind, name)
        oid = repositories.resolve(repository, revision)
        files = repository["commits"][oid]["files"]
        siblings = [
            {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]} for path, entry in files.items()
        ]
        told = {"id": name, "modelId": name, "sha": oid, "private": repository["private"], "siblings": siblings}
        self._answer(200, told | {"tags": [], "downloads": 0, "likes": 0, "author": name.split("/")[0]})

    # Reading ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def _told(path: str, entry: dict) -> dict:
        told = {"type": "file", "path": path, "size": entry["size"], "oid": entry["oid"]}
        if entry["lfs"]:
            told["lfs"] = {"oid": entry["sha256"], "size": entry["size"], "pointerSize": 134}
        return told

    def _tree(self, kind, name, revision, path=None):
        repository = self.server.repositories.read(kind, name)
        files = self.server.repositories.files(repository, revision)
        prefix = f"{path.rstrip('/')}/" if path else ""
        below = {file: entry for file, entry in sorted(files.items()) if file.startswith(prefix)}
        if path and not below:
            raise Refused(404, "EntryNotFound", f"{path} does not exist on {revision!r}")
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        folders, entries = set(), []
        for file, entry in below.items():
            steps = file.removeprefix(prefix).split("/")
            folders |= {
                prefix + "/".join(steps[:depth]) for depth in range(1, len(steps) if recursive else min(len(steps), 2))
            }
            if recursive or len(steps) == 1:
                entries.append(self._told(file, entry))
        told = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)]
        self._answer(200, told + entries)

    def _paths_info(self, kind, name, revision):
        body = self._body()
        if "json" in self.headers.get("Content-Type", ""):
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode())["paths"]
        paths = [paths] if isinstance(paths, str) else paths
        repository = self.server.repositories.read(kind, name)
        files = self.server.repositories.files(repository, revision)
        told = [self._told(path, files[path]) for path in paths if path in files]
        for path in paths:
            if path not in files and any(file.startswith(f"{path}/") for file in files):
                told.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        self._answer(200, told)

    def _refs(self, kind, name):
        repository = self.server.repositories.read(kind, name)
        groups = {"branches": "heads", "tags": "tags"}
        told = {
            group: [
                {"name": ref, "ref": f"refs/{short}/{ref}", "targetCommit": oid}
                for ref, oid in repository[group].items()
            ]
            for group, short in groups.items()
        }
        self._answer(200, told | {"converts": [], "pullRequests": []})

    def _commits(self, kind, name, revision):
        repository = self.server.repositories.read(kind, name)
        told = [
            {"id": commit["id"], "title": commit["title"], "message": "", "date": commit["date"], "authors": []}
            for commit in self.server.repositories.history(repository, revision)
        ]
        self._answer(200, told)

    def _resolve(self, kind, name, revision, path):
        repositories = self.server.repositories
        repository = repositories.read(kind, name)
        oid = repositories.resolve(repository, revision)
        entry = repository["commits"][oid]["files"].get(path)
        if entry is None:
            raise Refused(404, "EntryNotFound", f"{path} not found")
        content = repositories.content_path(entry["sha256"]).read_bytes()
        etag = f'"{entry["sha256"] if entry["lfs"] else entry["oid"]}"'
        headers = {
            "X-Repo-Commit": oid,
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if entry["lfs"]:
            headers |= {"X-Linked-ETag": etag, "X-Linked-Size": str(entry["size"])}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return self._answer(200, content, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        if first >= len(content):
            return self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._answer(206, content[first : last + 1], headers)

    # Writing ----------------------------------------------------------------------------------------------------------

    def _preupload(self, kind, name, revision):
        asked = self._json()["files"]
        repository = self.server.repositories.read(kind, name)
        files = self.server.repositories.files(repository, revision)
        told = []
        for file in asked:
            binary = (
                file["path"].endswith((".safetensors", ".parquet", ".png", ".bin", ".pt")) or file["size"] > 1 << 20
            )
            known = files.get(file["path"])
            oid = (known["sha256"] if known["lfs"] else known["oid"]) if known else None
            told.append(
                {"path": file["path"], "uploadMode": "lfs" if binary else "regular", "shouldIgnore": False, "oid": oid}
            )
        self._answer(200, {"files": told})

    def _lfs_batch(self, kind, name):
        objects = []
        for item in self._json()["objects"]:
            told = {"oid": item["oid"], "size": item["size"]}
            if self.server.largest_file is not None and item["size"] > self.server.largest_file:
                message = f"file of {item['size']} bytes exceeds the limit of {self.server.largest_file} bytes"
                told["error"] = {"code": 413, "message": message}
            elif not self.server.repositories.has_content(item["oid"], item["size"]):
                told["actions"] = {
                    "upload": {"href": f"{self.server.url}/lfs/{item['oid']}"},
                    "verify": {"href": f"{self.server.url}/lfs/verify"},
                }
            objects.append(told)
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _lfs_put(self, sha256):
        content = self._body()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Refused(400, "", "the content does not have the digest that was announced")
        self.server.repositories.put_content(content)
        self._answer(200)

    def _lfs_verify(self):
        asked = self._json()
        if not self.server.repositories.has_content(asked["oid"], asked["size"]):
            raise Refused(404, "", "the object was not uploaded")
        self._answer(200)

    def _commit(self, kind, name, revision):
        repositories, added, deleted, header = self.server.repositories, {}, [], {}
        for line in self._body().splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "header":
                header = value
            elif key == "file":
                added[value["path"]] = repositories.entry(base64.b64decode(value["content"]))
            elif key == "lfsFile":
                pointer = (
                    f"version https://git-lfs.github.com/spec/v1\noid sha256:{value['oid']}\nsize {value['size']}\n"
                )
                oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer.encode()).hexdigest()
                added[value["path"]] = {"size": value["size"], "oid": oid, "sha256": value["oid"], "lfs": True}
            else:
                deleted.append(value["path"] + ("/" if key == "deletedFolder" else ""))
        oid = repositories.commit(
            kind, name, revision, added, tuple(deleted), header.get("summary", ""), header.get("parentCommit")
        )
        self._answer(200, {"commitUrl": f"{self.server.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})

    def _make_branch(self, kind, name, ref):
        start = self._json().get("startingPoint") or "main"
        self.server.repositories.set_ref(kind, name, "branches", ref, start)
        self._answer(200)

    def _drop_branch(self, kind, name, ref):
        self.server.repositories.set_ref(kind, name, "branches", ref, None)
        self._answer(200)

    def _make_tag(self, kind, name, revision):
        self.server.repositories.set_ref(kind, name, "tags", self._json()["tag"], revision)
        self._answer(200)

    def _drop_tag(self, kind, name, ref):
        self.server.repositories.set_ref(kind, name, "tags", ref, None)
        self._answer(200)


__all__ = ["READ_TOKEN", "WRITE_TOKEN", "Fault", "LoopbackHub"]
