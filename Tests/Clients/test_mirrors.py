"""Copies of remote repositories over HTTP: a real `git http-backend`, the real server, a real client."""

import subprocess

import pytest
from grpc import StatusCode as Code

from clients import CallFailed, GrpcioClient
from fixture_repository import make_small_repository
from gateway import Gateway, row, wait_until
from git_servers import git_over_http


@pytest.fixture
def remote(tmp_path):
    """A git server with the repository app.git."""
    root = tmp_path / "remote"
    root.mkdir()
    make_small_repository(root / "app.git", "app")
    with git_over_http(root) as server:
        yield server


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
