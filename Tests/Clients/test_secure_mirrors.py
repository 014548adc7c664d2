"""Copies of remote repositories over ssh and TLS: a real sshd, a real `git http-backend` behind TLS, a real client."""

import subprocess

import pytest
from grpc import StatusCode as Code

from clients import CallFailed, GrpcioClient
from fixture_repository import git, make_small_repository
from gateway import Gateway, row, wait_until
from git_servers import AUTHORIZATION, SSHServer, git_over_http
from recording_git import WRITING, RecordingGit, fault

PRIVATE = "quoted \"folder's\" 100% name"
"""A folder's name that means something to the shell and to ssh."""


class Mirroring:
    """A server that may copy from this machine, and a client of it."""

    def __init__(self, folder, scm, port: int, **settings: str):
        self.scm, self.recorded = scm, RecordingGit(folder / "recorded")
        flags = ["--mirror-scheme", "ssh", "--mirror-scheme", "https", "--mirror-scheme", "http"]
        flags += ["--mirror-address", "127.0.0.0/8", "--mirror-port", str(port), *WRITING]
        self.gateway = Gateway(
            make_small_repository(folder / "own.git", "own"), folder / "data", *flags, PATH=self.recorded.path,
            **{f"SCM_GATEWAY_{name}": value for name, value in settings.items()},
        )
        arguments = ["--organization", self.gateway.organization_id, "--name", "all", "--data-folder", folder / "data"]
        key = row("key", "add", *arguments, "--scope", "scm:read", "--scope", "scm:write")["key"]
        self.client = GrpcioClient(self.gateway.url, key, scm)

    def create(self, address: str):
        """Adds a mirror and waits for the end of its clone."""
        request = self.scm.CreateRepositoryRequest(provider=self.scm.PROVIDER_LOCAL_GIT, identifier=address)
        added = self.client.unary("CreateRepository", request)
        assert wait_until(lambda: self.get(added.id).mirror.state != self.scm.MIRROR_STATE_CLONING, 60)
        return self.get(added.id)

    def refusal(self, address: str) -> Code:
        with pytest.raises(CallFailed) as failed:
            self.create(address)
        assert "fatal" not in failed.value.message and "remote:" not in failed.value.message
        return failed.value.code

    def get(self, repository: int):
        return self.client.unary("GetRepository", self.scm.GetRepositoryRequest(repository_id=repository))

    def head(self, repository: int) -> str:
        return self.client.unary("GetCommit", self.scm.GetCommitRequest(repository_id=repository, sha="HEAD")).key

    def fetch(self):
        *_, last = self.client.stream("SyncRepositories", self.scm.SyncRepositoriesRequest(fetch_mirrors=True))
        return last.result

    def stop(self):
        self.client.close()
        assert self.gateway.stop() == 0
        wrong = {found for words in self.recorded.command_lines() if (found := fault(words))}
        assert not wrong, wrong


@pytest.fixture
def mirroring(tmp_path, scm):
    made = []

    def start(port, **settings):
        made.append(Mirroring(tmp_path, scm, port, **settings))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def push(folder) -> str:
    tree = git(folder, "rev-parse", "HEAD^{tree}").decode().strip()
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    new = git(folder, *identity, "commit-tree", tree, "-p", "HEAD", "-m", "pushed").decode().strip()
    git(folder, "update-ref", "HEAD", new)
    return new


# ------------------------------------------------------------------------------------------------- ssh


@pytest.fixture
def ssh(tmp_path):
    server = SSHServer(tmp_path / "sshd", tmp_path / PRIVATE)
    make_small_repository(tmp_path / "remote" / "app.git", "app")
    server.root = tmp_path / "remote"
    yield server
    server.stop()


@pytest.fixture
def over_ssh(ssh, mirroring):
    """A server with the right key and the right known host."""
    known = ssh.private / "known_hosts"
    known.write_text(ssh.known_host(ssh.host_key))
    return mirroring(ssh.port, MIRROR_SSH_KEY=str(ssh.client_key), MIRROR_SSH_KNOWN_HOSTS=str(known))


def test_a_remote_is_cloned_and_fetched_over_ssh(ssh, over_ssh, scm):
    added = over_ssh.create(f"{ssh.url}{ssh.root}/app.git")
    assert added.mirror.state == scm.MIRROR_STATE_READY, added.mirror.error
    new = push(ssh.root / "app.git")
    assert over_ssh.head(added.id) != new
    assert list(over_ssh.fetch().fetched_repository_ids) == [added.id]
    assert over_ssh.head(added.id) == new
    assert over_ssh.refusal(f"{ssh.url}{ssh.root}/missing.git") is Code.FAILED_PRECONDITION
    # A path is one word for the shell at the other end.
    command = f"touch%20{ssh.root}/ran"
    assert over_ssh.refusal(f"{ssh.url}{ssh.root}/$({command});{command};.git") is Code.FAILED_PRECONDITION
    assert not (ssh.root / "ran").exists()


def test_a_host_that_changes_its_key_is_refused(ssh, over_ssh, scm):
    """What was copied before stays, and nothing is taken from the stranger."""
    added = over_ssh.create(f"{ssh.url}{ssh.root}/app.git")
    old = over_ssh.head(added.id)
    push(ssh.root / "app.git")
    ssh.stop()
    ssh.start(ssh.make_key(ssh.folder / "stranger"))
    (failure,) = over_ssh.fetch().failures
    assert failure.repository_id == added.id and failure.status.code == Code.FAILED_PRECONDITION.value[0]
    assert over_ssh.get(added.id).mirror.state == scm.MIRROR_STATE_FAILED
    assert over_ssh.head(added.id) == old
    assert over_ssh.refusal(f"{ssh.url}{ssh.root}/app.git/") in (Code.FAILED_PRECONDITION, Code.ALREADY_EXISTS)
    assert "Accepted publickey" in ssh.log.read_text()
    ssh.stop()
    ssh.start(ssh.host_key)
    assert list(over_ssh.fetch().fetched_repository_ids) == [added.id]


@pytest.mark.parametrize("known", ["nothing", "another key", "another port", "no file"])
def test_a_host_that_is_not_known_is_refused(ssh, mirroring, known):
    file = ssh.private / "known_hosts"
    if known != "no file":
        text = ssh.known_host(ssh.make_key(ssh.folder / "stranger") if known == "another key" else ssh.host_key)
        file.write_text({"nothing": "", "another port": text.replace(f":{ssh.port} ", ":22 ")}.get(known, text))
    server = mirroring(ssh.port, MIRROR_SSH_KEY=str(ssh.client_key), MIRROR_SSH_KNOWN_HOSTS=str(file))
    assert server.refusal(f"{ssh.url}{ssh.root}/app.git") is Code.FAILED_PRECONDITION
    assert "Accepted" not in ssh.log.read_text()


@pytest.mark.parametrize("key", ["none", "another"])
def test_a_key_that_the_host_does_not_know_is_refused(ssh, mirroring, key):
    file = ssh.private / "known_hosts"
    file.write_text(ssh.known_host(ssh.host_key))
    keys = {"MIRROR_SSH_KEY": str(ssh.make_key(ssh.private / "unknown"))} if key == "another" else {}
    server = mirroring(ssh.port, MIRROR_SSH_KNOWN_HOSTS=str(file), **keys)
    assert server.refusal(f"{ssh.url}{ssh.root}/app.git") is Code.FAILED_PRECONDITION
    # Without a setting no key is shown, also none of the user's own.
    shown = ssh.log.read_text().count("Failed publickey")
    assert shown == (1 if key == "another" else 0) and "Accepted" not in ssh.log.read_text()


def test_an_ssh_server_that_is_down(ssh, over_ssh):
    ssh.stop()
    assert over_ssh.refusal(f"{ssh.url}{ssh.root}/app.git") is Code.UNAVAILABLE


# ------------------------------------------------------------------------------------------------- TLS


@pytest.fixture
def over_tls(tmp_path, certificates):
    root = tmp_path / "remote"
    make_small_repository(root / "app.git", "app")
    with git_over_http(root, certificates / "server.pem") as server:
        yield server


def test_a_remote_is_cloned_and_fetched_over_tls(over_tls, mirroring, certificates, scm):
    """With a private authority, and an authorization that nobody else gets to see."""
    port = over_tls.server_address[1]
    server = mirroring(
        port, MIRROR_CA=str(certificates / "servers.pem"), MIRROR_AUTHORIZATION=f"127.0.0.1={AUTHORIZATION}"
    )
    added = server.create(f"{over_tls.url}/secret/app.git")
    assert added.mirror.state == scm.MIRROR_STATE_READY, added.mirror.error
    new = push(over_tls.root / "app.git")
    assert list(server.fetch().fetched_repository_ids) == [added.id]
    assert server.head(added.id) == new
    assert set(over_tls.authorizations) == {AUTHORIZATION}
    secret = AUTHORIZATION.split()[1].encode()
    assert not [words for words in server.recorded.command_lines() if any(secret in word for word in words)]
    assert secret.decode() not in server.gateway.read_log()
    shown = server.client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=added.id))
    assert secret not in shown.SerializeToString()
    copies = [path for path in (server.gateway.data_folder / "mirrors").rglob("*") if path.is_file()]
    assert not [path for path in copies if secret in path.read_bytes()]


def test_an_authorization_is_for_its_host_only(over_tls, mirroring, certificates):
    """Another name of the same machine is another host, and a redirect is not followed."""
    port = over_tls.server_address[1]
    server = mirroring(
        port, MIRROR_CA=str(certificates / "servers.pem"), MIRROR_AUTHORIZATION=f"localhost={AUTHORIZATION}"
    )
    assert server.refusal(f"{over_tls.url}/secret/app.git") is Code.FAILED_PRECONDITION
    assert set(over_tls.authorizations) == {None}
    over_tls.elsewhere = f"https://127.0.0.1:{port}"
    named = over_tls.url.replace("127.0.0.1", "localhost")
    over_tls.requests.clear()
    assert server.refusal(f"{named}/redirect/app.git") is Code.FAILED_PRECONDITION
    assert {path.split("/")[1] for path in over_tls.requests} == {"redirect"}


def test_an_authority_that_is_not_trusted(over_tls, mirroring):
    server = mirroring(over_tls.server_address[1], MIRROR_AUTHORIZATION=f"127.0.0.1={AUTHORIZATION}")
    assert server.refusal(f"{over_tls.url}/app.git") is Code.UNAVAILABLE
    assert not over_tls.requests


def test_a_certificate_of_another_host(tmp_path, mirroring, certificates):
    make_small_repository(tmp_path / "remote" / "app.git", "app")
    # The clients' authority signed it, for nobody in particular.
    with git_over_http(tmp_path / "remote", certificates / "client.pem") as remote:
        server = mirroring(remote.server_address[1], MIRROR_CA=str(certificates / "clients.pem"))
        assert server.refusal(f"{remote.url}/app.git") is Code.UNAVAILABLE
        assert not remote.requests
