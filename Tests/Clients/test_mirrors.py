"""Copies of remote repositories over HTTP: a real `git http-backend`, the real server, a real client."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from grpc import StatusCode as Code

from clients import CallFailed, GrpcioClient
from fixture_repository import make_small_repository
from gateway import Gateway, row, wait_until


class GitHandler(BaseHTTPRequestHandler):
    """CGI for `git http-backend`; below /redirect/ it redirects, below /secret/ it wants a password."""

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.body())

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, body: bytes):
        path, _, query = self.path.partition("?")
        self.server.requests.append(path)
        if path.startswith("/redirect/"):
            return self.refuse(302, ("location", self.path.removeprefix("/redirect")))
        if path.startswith("/secret/"):
            return self.refuse(401, ("www-authenticate", 'Basic realm="x"'))
        variables = os.environ | {
            "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "REQUEST_METHOD": self.command, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("content-type", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
        }
        output = subprocess.run(
            ["git", "http-backend"], input=body, env=variables, capture_output=True, timeout=60
        ).stdout
        head, _, rest = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def refuse(self, status: int, field: tuple[str, str]):
        self.send_response(status)
        self.send_header(*field)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def remote(tmp_path):
    """A git server with the repository app.git."""
    root = tmp_path / "remote"
    root.mkdir()
    make_small_repository(root / "app.git", "app")
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHandler)
    server.root, server.requests = root, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirroring(tmp_path, remote, scm):
    """A server that may copy from this machine, and a client with every scope."""
    flags = ["--mirror-scheme", "http", "--mirror-address", "127.0.0.0/8"]
    flags += ["--mirror-port", str(remote.server_address[1])]
    gateway = Gateway(make_small_repository(tmp_path / "a.git", "a"), tmp_path / "data", *flags)
    arguments = ["--organization", gateway.organization_id, "--name", "all", "--data-folder", gateway.data_folder]
    key = row("key", "add", *arguments, "--scope", "scm:read", "--scope", "scm:write")["key"]
    client = GrpcioClient(gateway.url, key, scm)
    yield client
    client.close()
    gateway.stop()


def create(client, scm, address):
    request = scm.CreateRepositoryRequest(provider=scm.PROVIDER_LOCAL_GIT, identifier=address)
    return client.unary("CreateRepository", request)


def mirror(client, scm, repository):
    return client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=repository)).mirror


def test_a_remote_is_cloned_and_fetched(mirroring, remote, scm):
    added = create(mirroring, scm, f"{remote.url}/app.git")
    assert added.mirror.state == scm.MIRROR_STATE_CLONING
    assert wait_until(lambda: mirror(mirroring, scm, added.id).state == scm.MIRROR_STATE_READY)
    before = mirroring.unary("GetCommit", scm.GetCommitRequest(repository_id=added.id, sha="HEAD"))

    folder = remote.root / "app.git"
    tree = subprocess.check_output(["git", "-C", folder, "rev-parse", "HEAD^{tree}"], text=True).strip()
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    new = subprocess.check_output(
        ["git", "-C", folder, *identity, "commit-tree", tree, "-p", before.key, "-m", "pushed"], text=True
    ).strip()
    subprocess.run(["git", "-C", folder, "update-ref", "HEAD", new], check=True)
    *_, last = mirroring.stream("SyncRepositories", scm.SyncRepositoriesRequest(fetch_mirrors=True))
    assert list(last.result.fetched_repository_ids) == [added.id]
    after = mirroring.unary("GetCommit", scm.GetCommitRequest(repository_id=added.id, sha="HEAD"))
    assert after.key == new


@pytest.mark.parametrize("path", ["/redirect/app.git", "/secret/app.git", "/missing.git", "/app.git/../../etc"])
def test_what_the_remote_refuses(mirroring, remote, scm, path):
    with pytest.raises(CallFailed) as failed:
        create(mirroring, scm, remote.url + path)
    assert failed.value.code == Code.FAILED_PRECONDITION
    assert not [request for request in remote.requests if request.startswith("/app.git/info")]


def test_a_port_nobody_listens_on(mirroring, remote, scm):
    remote.shutdown()
    remote.server_close()
    with pytest.raises(CallFailed) as failed:
        create(mirroring, scm, f"{remote.url}/app.git")
    assert failed.value.code == Code.UNAVAILABLE
