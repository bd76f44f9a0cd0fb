"""Repositories on disk for the loopback Hub: content by digest, and a history whose every change is one atomic rename."""

import hashlib
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path


class Refused(Exception):
    """What the server answers instead of success: an HTTP status, the Hub's error code, and a sentence."""

    def __init__(self, status: int, code: str = "", message: str = "", body: dict | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.body = status, code, message, body or {"error": message}


def git_oid(content: bytes) -> str:
    """The name that git gives to a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Repositories:
    """Every repository of the server, under one folder.

    A repository is one JSON file: commits (each with all of its files) and refs. It is replaced as a whole, so that a reader,
    or a server that dies, sees a commit fully or not at all.
    """

    def __init__(self, folder: Path):
        self.folder, self.lock = Path(folder), threading.RLock()
        (self.folder / "content").mkdir(parents=True, exist_ok=True)

    # Content ---------------------------------------------------------------------------------------------------------

    def content_path(self, sha256: str) -> Path:
        return self.folder / "content" / sha256

    def has_content(self, sha256: str, size: int | None = None) -> bool:
        path = self.content_path(sha256)
        return path.is_file() and (size is None or path.stat().st_size == size)

    def put_content(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.content_path(sha256)
        part = path.with_suffix(f".{threading.get_ident()}.part")
        part.write_bytes(content)
        os.replace(part, path)
        return sha256

    # Repositories ----------------------------------------------------------------------------------------------------

    def _path(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name.replace('/', '--')}.json"

    def _write(self, repository: dict) -> None:
        path = self._path(repository["kind"], repository["name"])
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(repository))
        os.replace(part, path)

    def read(self, kind: str, name: str) -> dict:
        path = self._path(kind, name)
        if not path.is_file():
            raise Refused(404, "RepoNotFound", "Repository not found")
        return json.loads(path.read_text())

    def create(self, kind: str, name: str, private: bool) -> bool:
        """Whether the repository is new."""
        with self.lock:
            if self._path(kind, name).is_file():
                return False
            repository = {"kind": kind, "name": name, "private": private, "commits": {}, "branches": {}, "tags": {}}
            self._write(repository)
            self.commit(kind, name, "main", {".gitattributes": self.entry(b"*.safetensors filter=lfs\n")}, (), "start")
            return True

    def delete(self, kind: str, name: str) -> None:
        self.read(kind, name)
        self._path(kind, name).unlink()

    def entry(self, content: bytes) -> dict:
        """The record of a small file whose content came with the commit."""
        return {
            "size": len(content),
            "oid": git_oid(content),
            "sha256": self.put_content(content),
            "lfs": False,
        }

    def resolve(self, repository: dict, revision: str) -> str:
        """The commit that a branch, tag or (shortened) commit id names."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        found = repository["branches"].get(name) or repository["tags"].get(name)
        found = found or next((oid for oid in repository["commits"] if len(name) >= 7 and oid.startswith(name)), None)
        if found is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def files(self, repository: dict, revision: str) -> dict[str, dict]:
        return repository["commits"][self.resolve(repository, revision)]["files"]

    def commit(
        self, kind: str, name: str, branch: str, added: dict, deleted: tuple, title: str, parent: str | None = None
    ) -> str:
        """Writes one commit; nothing is there unless all of it is. `deleted` holds files, and folders with a final slash."""
        with self.lock:
            repository = self.read(kind, name)
            if repository["commits"] and branch not in repository["branches"]:
                raise Refused(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            head = repository["branches"].get(branch)
            if parent is not None and parent != head:
                raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
            missing = [path for path, entry in added.items() if not self.has_content(entry["sha256"], entry["size"])]
            if missing:
                raise Refused(400, "", f"LFS pointer pointed to a file that does not exist: {', '.join(missing)}")
            files = dict(repository["commits"][head]["files"]) if head else {}
            for path in deleted:
                gone = [file for file in files if file == path or (path.endswith("/") and file.startswith(path))]
                for file in gone:
                    del files[file]
            files |= added
            history = repr((head, title, sorted(files.items()), len(repository["commits"])))
            oid = hashlib.sha1(history.encode()).hexdigest()
            date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            repository["commits"][oid] = {"parent": head, "title": title, "date": date, "files": files}
            repository["branches"][branch] = oid
            self._write(repository)
            return oid

    def set_ref(self, kind: str, name: str, group: str, ref: str, revision: str | None) -> None:
        """Creates a branch or tag at a revision; removes it where that is None."""
        with self.lock:
            repository = self.read(kind, name)
            if revision is None:
                repository[group].pop(ref, None)
            elif ref in repository[group]:
                raise Refused(409, "", f"Reference already exists: {ref}")
            else:
                repository[group][ref] = self.resolve(repository, revision)
            self._write(repository)

    def history(self, repository: dict, revision: str) -> list[dict]:
        """Commits from a revision back to the first."""
        commits, oid = [], self.resolve(repository, revision)
        while oid:
            commits.append({"id": oid, **repository["commits"][oid]})
            oid = repository["commits"][oid]["parent"]
        return commits
