"""A registry's API, asked of a real one; and one that misbehaves, which must not lead astray."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sinara.errors import ImageError, RegistryError
from sinara.images.answers import unreachable
from sinara.images.credentials import Login
from sinara.images.hosts import base_url, is_plain
from sinara.images.manifest import (
    CONFIG,
    LAYER_GZIP,
    MANIFEST,
    MAX_DOCUMENT,
    Blob,
    Manifest,
    canonical,
    digest_of,
    read_manifest,
)
from sinara.images.registry import Registry
from sinara.secret import Secret
from tests.images.registries import (
    PASSWORD,
    USER,
    Answer,
    Request,
    RunningRegistry,
    free_port,
    registry,
    server,
    tags,
)

LOGIN = Login(USER, Secret(PASSWORD))
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DATA = bytes(range(256)) * 5000


def nobody(host: str, repository: str) -> None:
    return None


def somebody(host: str, repository: str) -> Login:
    return LOGIN


def blob_of(data: bytes, media_type: str = LAYER_GZIP) -> Blob:
    return Blob(media_type, digest_of(data), len(data))


CONFIG_DATA = b'{"architecture":"amd64","os":"linux"}'


def manifest_of() -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob_of(CONFIG_DATA, CONFIG).as_json(),
        "layers": [blob_of(DATA).as_json()],
    }
    read = read_manifest(canonical(document), "here")
    assert isinstance(read, Manifest)
    return read


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("locked"), login=True) as running:
        yield running


def push(asked: Registry, repository: str, tag: str, tmp_path: Path) -> Manifest:
    (tmp_path / "layer").write_bytes(DATA)
    manifest = manifest_of()
    asked.upload(repository, manifest.config, CONFIG_DATA)
    asked.upload(repository, manifest.layers[0], tmp_path / "layer")
    asked.put_manifest(repository, manifest.digest, manifest)
    asked.put_manifest(repository, tag, manifest)
    return manifest


def test_what_is_pushed_comes_back(real: RunningRegistry, tmp_path: Path):
    with Registry(real.host, login=nobody) as asked:
        asked.ping()
        assert asked.digest("one/a", "1") is None

        manifest = push(asked, "one/a", "1", tmp_path)

        assert asked.digest("one/a", "1") == manifest.digest
        assert asked.manifest("one/a", "1", "linux/amd64") == manifest
        assert asked.blob_bytes("one/a", manifest.config) == CONFIG_DATA
        with asked.blob("one/a", manifest.layers[0]) as stream:
            assert stream.read(10) == DATA[:10]
        assert tags(real.host, "one/a") == ["1"]


def test_a_blob_that_is_there_is_not_sent_again_and_another_repository_mounts_it(
    real: RunningRegistry, tmp_path: Path
):
    with Registry(real.host, login=nobody) as asked:
        manifest = push(asked, "two/a", "1", tmp_path)

        assert not asked.upload("two/a", manifest.layers[0], tmp_path / "gone")
        assert not asked.has_blob("two/b", manifest.layers[0].digest)
        assert asked.mount("two/b", manifest.layers[0].digest, "two/a")
        assert asked.has_blob("two/b", manifest.layers[0].digest)
        assert not asked.mount("two/b", digest_of(b"nowhere"), "two/a")


def test_a_blob_that_differs_from_its_digest_is_refused_on_both_sides(
    real: RunningRegistry, tmp_path: Path
):
    with Registry(real.host, login=nobody) as asked:
        manifest = push(asked, "three", "1", tmp_path)
        wrong = Blob(LAYER_GZIP, digest_of(b"other"), 5)
        with pytest.raises(RegistryError, match="HTTP 400"):
            asked.upload("three", wrong, b"wrong")

        shorter = Blob(LAYER_GZIP, manifest.layers[0].digest, 100)

        with (
            pytest.raises(RegistryError, match="differs from its digest"),
            asked.blob("three", shorter) as stream,
        ):
            stream.read(10)


def test_a_registry_that_wants_a_login_gets_it(locked: RunningRegistry, tmp_path: Path):
    with Registry(locked.host, login=somebody) as asked:
        manifest = push(asked, "a", "1", tmp_path)

        assert asked.manifest("a", "1", "linux/amd64") == manifest


@pytest.mark.parametrize("login", [nobody, lambda host, repository: Login("eve", Secret("no"))])
def test_without_the_right_login_the_line_says_how_to_log_in(locked: RunningRegistry, login):
    with Registry(locked.host, login=login) as asked, pytest.raises(RegistryError) as refused:
        asked.digest("a", "1")

    assert f"docker login {locked.host}" in str(refused.value)


def test_the_login_that_docker_keeps_is_used(
    locked: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {locked.host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    with Registry(locked.host) as asked:
        asked.ping()


def test_a_registry_that_is_down_is_one_line():
    port = free_port()

    with (
        Registry(f"127.0.0.1:{port}", login=nobody) as asked,
        pytest.raises(RegistryError, match=rf"127.0.0.1:{port} refuses the connection"),
    ):
        asked.ping()


def test_a_name_without_an_address_is_one_line():
    with (
        Registry("no-such-host.invalid", login=nobody, insecure=["no-such-host.invalid"]) as asked,
        pytest.raises(RegistryError, match="has no address"),
    ):
        asked.ping()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404, b'{"errors":[{"message":"gone \\u001b[31m"}]}'), "does not have it"),
        (Answer(403, b'{"errors":[{"code":"DENIED"}]}'), "It says: DENIED"),
        (Answer(429), "no more requests"),
        (Answer(503), "is in trouble \\(HTTP 503\\)"),
        (Answer(418, b"<html>"), "refused to send a:1 \\(HTTP 418\\)"),
        (Answer(401), "unknown kind of login"),
        (Answer(200, b"<html>hello"), "is no JSON"),
        (Answer(200, b" " * (MAX_DOCUMENT + 9)), "no registry gives"),
        (Answer(200, b"{}", {"Docker-Content-Digest": digest_of(b"x")}), "differs from its digest"),
        (Answer(302, b"", {"Location": "file:///etc/passwd"}), "no safe address"),
        (Answer(200, b"{", {"Content-Length": "100"}), "in the middle of an answer|longer than"),
        (Answer(200, b"{}", delay=1.5), "took longer than 1 s"),
    ],
)
def test_an_answer_that_helps_nobody_is_one_line(answer: Answer, said: str):
    with (
        server(lambda request: answer) as (host, _),
        Registry(host, login=nobody, timeout=1) as asked,
        pytest.raises(ImageError, match=said) as refused,
    ):
        asked.manifest("a", "1", "linux/amd64")

    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_registry_that_is_busy_for_a_moment_is_asked_again_but_nothing_is_stored_twice():
    def answer(request: Request) -> Answer:
        return Answer(503 if len(asked_of) < 2 else 200, headers={"Retry-After": "0"})

    with server(answer) as (host, asked_of), Registry(host, login=nobody) as asked:
        asked.ping()

        assert len(asked_of) == 2

    with server(lambda request: Answer(503)) as (host, asked_of):
        with Registry(host, login=nobody) as asked, pytest.raises(RegistryError):
            asked.put_manifest("a", "1", manifest_of())

        assert len(asked_of) == 1


def test_a_token_is_fetched_from_the_realm_and_only_the_realm_sees_the_password():
    def realm(request: Request) -> Answer:
        good = request.headers.get("Authorization") == BASIC
        return Answer(200, b'{"token":"t0ken"}') if good else Answer(401)

    def answer(request: Request) -> Answer:
        if request.headers.get("Authorization") == "Bearer t0ken":
            return Answer(200, b"", {"Docker-Content-Digest": digest_of(b"m")})
        wanted = (
            f'Bearer realm="http://{realm_host}/token?a=b",service="s",scope="repository:a:pull"'
        )
        return Answer(401, headers={"WWW-Authenticate": wanted})

    with (
        server(realm) as (realm_host, asked_realm),
        server(answer) as (host, asked_of),
        Registry(host, login=somebody) as asked,
    ):
        assert asked.digest("a", "1") == digest_of(b"m")
        assert asked.digest("a", "2") == digest_of(b"m")

        assert [request.path for request in asked_realm] == [
            "/token?a=b&service=s&scope=repository%3Aa%3Apull"
        ]
        assert not any(BASIC in request.headers.values() for request in asked_of)


def test_an_identity_token_is_exchanged_and_never_sent_as_a_password():
    def answer(request: Request) -> Answer:
        if request.path == "/token":
            assert b"refresh_token=" + PASSWORD.encode() in request.body
            return Answer(200, b'{"access_token":"t"}')
        if request.headers.get("Authorization") == "Bearer t":
            return Answer(200)
        return Answer(401, headers={"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})

    token = Login("", Secret(PASSWORD), is_token=True)
    with (
        server(answer) as (host, _),
        Registry(host, login=lambda host, repository: token) as asked,
    ):
        asked.ping()


@pytest.mark.parametrize("realm", ["http://example.org/token", "ftp://x/", "https://u:p@x/", ""])
def test_a_realm_that_is_not_safe_gets_no_password(realm: str):
    header = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}

    with (
        server(lambda request: Answer(401, headers=header)) as (host, asked_of),
        Registry(host, login=somebody) as asked,
        pytest.raises(RegistryError, match="not safe"),
    ):
        asked.ping()

    assert len(asked_of) == 1


def test_a_redirect_to_another_host_goes_without_the_login():
    blob = blob_of(DATA)

    def answer(request: Request) -> Answer:
        if request.headers.get("Authorization") != BASIC:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Answer(307, headers={"Location": f"http://{elsewhere}/data"})

    with (
        server(lambda request: Answer(200, DATA)) as (elsewhere, asked_there),
        server(answer) as (host, asked_of),
        Registry(host, login=somebody) as asked,
    ):
        with asked.blob("a", blob) as stream:
            assert stream.readall() == DATA

        assert [request.headers.get("Authorization") for request in asked_there] == [None]
        assert len(asked_of) == 2


def test_an_upload_is_not_sent_to_another_host():
    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return Answer(202, headers={"Location": "http://example.org/upload"})
        return Answer(404)

    with (
        server(answer) as (host, asked_of),
        Registry(host, login=somebody) as asked,
        pytest.raises(RegistryError, match="another host"),
    ):
        asked.upload("a", blob_of(DATA), DATA)

    assert [request.method for request in asked_of] == ["HEAD", "POST"]


def test_a_blob_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sinara.images.registry._SLOWEST", 1 << 30)
    pieces = Answer(200, DATA, delay=0.6)

    with (
        server(lambda request: pieces) as (host, _),
        Registry(host, login=nobody, timeout=0.3) as asked,
        pytest.raises(RegistryError, match="took longer than"),
        asked.blob("a", blob_of(DATA)) as stream,
    ):
        stream.readall()


def test_https_is_a_must_but_for_this_machine_and_hosts_that_are_listed():
    assert base_url("localhost:5000") == "http://localhost:5000"
    assert base_url("127.9.9.9") == "http://127.9.9.9"
    assert base_url("[::1]:5000") == "http://[::1]:5000"
    assert base_url("registry.lan:5000") == "https://registry.lan:5000"
    assert base_url("registry.lan:5000", ["registry.lan:5000"]) == "http://registry.lan:5000"
    assert base_url("docker.io") == "https://registry-1.docker.io"
    assert is_plain("registry.lan:5000", ["registry.lan"])
    assert not is_plain("127.0.0.1.example.org")


def test_a_registry_without_https_is_told_from_one_with_an_unknown_certificate(tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install -y openssl")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run([*make, *files], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    with server(lambda request: Answer(), tls=context) as (host, _):
        assert "SSL_CERT_FILE=FILE" in failure(host)
    with server(lambda request: Answer()) as (host, _):
        assert "does not speak HTTPS" in failure(host)


def failure(host: str) -> str:
    with pytest.raises(httpx.HTTPError) as failed, httpx.Client(trust_env=False) as client:
        client.get(f"https://{host}/v2/")
    return str(unreachable(host, failed.value, 1))
