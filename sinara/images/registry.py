"""A registry's HTTP API: manifests and blobs, every digest checked on the way.

Source: github.com/opencontainers/distribution-spec ``spec.md``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sinara.errors import ImageError, RegistryError
from sinara.images.answers import differs, unsound
from sinara.images.credentials import Login, find_login
from sinara.images.manifest import (
    ACCEPTED,
    MAX_DOCUMENT,
    Blob,
    Index,
    Manifest,
    digest_of,
    pick,
    read_manifest,
)
from sinara.images.reference import is_digest
from sinara.images.streams import PIECE, Arriving, CheckedReader
from sinara.images.transport import Asked, Transport

if TYPE_CHECKING:
    from typing import Self

TIMEOUT = 30.0  # seconds
_SLOWEST = 32 << 10  # bytes a second below which a blob is given up
_ACCEPT = {"Accept": ", ".join(ACCEPTED)}


class Registry:
    """One registry of images. Close it, or use it in a ``with`` block.

    Args:
        host: ``host`` or ``host:port``, as the ``registry`` of a located reference has it.
        insecure: Hosts that may be asked by plain HTTP; this machine always may.
        timeout: Seconds for an answer.
        login: Returns what is known of a host and repository; by default what docker, podman
            and buildah know.
    """

    def __init__(
        self,
        host: str,
        *,
        insecure: Sequence[str] = (),
        timeout: float = TIMEOUT,
        login: Callable[[str, str], Login | None] = find_login,
    ) -> None:
        self.host = host
        self._net = Transport(host, insecure=insecure, timeout=timeout, login=login)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._net.close()

    def ping(self) -> None:
        """Check that a registry answers there, and takes the login if it wants one.

        Raises:
            RegistryError: If not.
        """
        with self._net.ask(Asked("GET", "/v2/", "answer")):
            pass

    def digest(self, repository: str, wanted: str) -> str | None:
        """Return the digest of the manifest that a tag or a digest names; None if there is none.

        Raises:
            RegistryError: If the registry cannot be reached, or refuses.
        """
        path, what = _manifest_path(repository, wanted), f"look for {_name(repository, wanted)}"
        head = Asked(
            "HEAD", path, what, _pull(repository), (200, 404), headers=_ACCEPT, follow=True
        )
        with self._net.ask(head) as response:
            if response.status_code == 404:
                return None
            named = response.headers.get("docker-content-digest")
        return named if is_digest(named) else digest_of(self._fetched(repository, wanted)[0])

    def manifest(self, repository: str, wanted: str, platform: str) -> Manifest:
        """Return the manifest of one platform's image.

        Raises:
            RegistryError: If it cannot be had.
            ImageError: If it is none that sinara reads, or there is none for the platform.
        """
        where = f"{self.host}/{_name(repository, wanted)}"
        read = read_manifest(*self._fetched(repository, wanted, where))
        if isinstance(read, Index):
            digest = pick(read, platform, where).blob.digest
            read = read_manifest(*self._fetched(repository, digest, where))
        if isinstance(read, Index):
            raise ImageError(f"{where} is an index of indexes. Name the image itself.")
        return read

    def has_blob(self, repository: str, digest: str) -> bool:
        """Return whether a repository holds a blob."""
        path, what = f"/v2/{repository}/blobs/{digest}", f"look for a layer of {repository}"
        head = Asked("HEAD", path, what, _push(repository), (200, 404), follow=True)
        with self._net.ask(head) as response:
            return response.status_code == 200

    @contextlib.contextmanager
    def blob(self, repository: str, blob: Blob) -> Iterator[CheckedReader]:
        """Give the bytes of a blob as they come; a clean end means that they are the right ones.

        Raises:
            RegistryError: If they cannot be had, differ from their digest, or come too slowly.
        """
        path, what = f"/v2/{repository}/blobs/{blob.digest}", f"send a piece of {repository}"
        with self._net.ask(Asked("GET", path, what, _pull(repository), follow=True)) as response:
            seconds = self._net.timeout + blob.size / _SLOWEST
            pieces = Arriving(response.iter_raw(PIECE), self.host, seconds)
            reader = CheckedReader(pieces, blob, differs(self.host, f"a piece of {repository}"))
            yield reader
            reader.finish()

    def blob_bytes(self, repository: str, blob: Blob) -> bytes:
        """Return a small blob: a configuration.

        Raises:
            RegistryError: As for :meth:`blob`.
        """
        if blob.size > MAX_DOCUMENT:
            raise unsound(self.host, f"a configuration of {blob.size:,} bytes")
        with self.blob(repository, blob) as stream:
            return stream.readall()

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Let a repository have a blob of another one of this registry, without sending it.

        Returns:
            Whether the registry did it; if not, it has to be sent.
        """
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={quote(source, safe='/')}"
        what, scope = f"take a layer into {repository}", f"{_push(repository)} {_pull(source)}"
        with self._net.ask(Asked("POST", path, what, scope, (201, 202, 403, 404, 405))) as response:
            return response.status_code == 201

    def upload(self, repository: str, blob: Blob, content: Path | bytes) -> bool:
        """Send a blob, unless the repository has it.

        Returns:
            Whether it was sent.

        Raises:
            RegistryError: If the registry cannot be reached, or does not take it.
        """
        if self.has_blob(repository, blob.digest):
            return False
        what, scope = f"take an upload into {repository}", _push(repository)
        start = Asked("POST", f"/v2/{repository}/blobs/uploads/", what, scope, (202,))
        with self._net.ask(start) as response:
            location = response.headers.get("location", "")
        if not location:
            raise unsound(self.host, "it does not say where to send an upload")
        joint = "&" if "?" in location else "?"
        path = f"{location}{joint}digest={quote(blob.digest)}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        body = (lambda: content) if isinstance(content, bytes) else (lambda: _pieces(content))
        put = Asked("PUT", path, what, scope, (201, 204), content=body, headers=headers)
        with self._net.ask(put):
            return True

    def put_manifest(self, repository: str, wanted: str, manifest: Manifest) -> str:
        """Store a manifest under a tag or its digest, and return its digest.

        Raises:
            RegistryError: If the registry refuses it, or took something else.
        """
        path, what = _manifest_path(repository, wanted), f"store {_name(repository, wanted)}"
        put = Asked(
            "PUT",
            path,
            what,
            _push(repository),
            (200, 201, 202),
            content=lambda: manifest.raw,
            headers={"Content-Type": manifest.media_type},
        )
        with self._net.ask(put) as response:
            named = response.headers.get("docker-content-digest", manifest.digest)
        if named != manifest.digest:
            raise RegistryError(
                f"Registry {self.host} stored {repository} with another digest than was sent. "
                "Do not use it. Ask who runs the registry."
            )
        return manifest.digest

    def _fetched(self, repository: str, wanted: str, where: str = "") -> tuple[bytes, str, str]:
        """Return a manifest's bytes, ``where`` and its media type."""
        path, what = _manifest_path(repository, wanted), f"send {_name(repository, wanted)}"
        get = Asked("GET", path, what, _pull(repository), headers=_ACCEPT, follow=True)
        with self._net.ask(get) as response:
            raw = self._net.body(response, MAX_DOCUMENT)
            kind = response.headers.get("content-type", "")
            named = response.headers.get("docker-content-digest", "")
        if digest_of(raw) != (wanted if is_digest(wanted) else named or digest_of(raw)):
            raise differs(self.host, f"a manifest of {repository}")
        return raw, where, kind


def _name(repository: str, wanted: str) -> str:
    return f"{repository}{'@' if is_digest(wanted) else ':'}{wanted}"


def _manifest_path(repository: str, wanted: str) -> str:
    return f"/v2/{repository}/manifests/{wanted}"


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
