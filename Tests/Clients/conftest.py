"""What all client tests share: message types, repositories, the server, the clients."""

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from certificates import make_certificates
from clients import (
    ConnectGetClient,
    ConnectJSONClient,
    ConnectNativeClient,
    ConnectNativeGzipClient,
    ConnectProtoClient,
    ConnectWebClient,
    ConnectWebHTTP2Client,
    GrpcioClient,
    GrpcioGzipClient,
    SonoraClient,
)
from curl_client import CurlClient, CurlHTTP2Client, CurlTextClient, CurlTextHTTP2Client
from fixture_repository import make_empty_repository, make_repository, make_small_repository
from gateway import CHECKOUT, Gateway, row
from silos import CELLS

CLIENTS = [
    GrpcioClient,
    GrpcioGzipClient,
    ConnectWebClient,
    ConnectWebHTTP2Client,
    ConnectNativeClient,
    ConnectNativeGzipClient,
    ConnectProtoClient,
    ConnectJSONClient,
    ConnectGetClient,
    SonoraClient,
    CurlClient,
    CurlHTTP2Client,
    CurlTextClient,
    CurlTextHTTP2Client,
]


@pytest.fixture(scope="session")
def scm(tmp_path_factory):
    """The message types, generated from Protos/ now."""
    folder = tmp_path_factory.mktemp("generated")
    proto = "sentry/integrations/scm/v1/scm.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{CHECKOUT / 'Protos'}", f"--python_out={folder}", proto]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(folder))
    return importlib.import_module("sentry.integrations.scm.v1.scm_pb2")


@pytest.fixture(scope="module")
def organizations(silos):
    """Cell -> id and API key of an organization that lives there, in the silos of the test's own file."""
    return {cell: silos.add_organization(f"in-{cell}", cell) for cell in CELLS}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@dataclass
class World:
    """A running server and what is registered with it."""

    folder: Path
    """Clients may register repositories below it."""

    gateway: Gateway
    history: Path
    """The repository with the difficult history; its row is `gateway.repository_id`."""

    checkout_id: int
    """Row of this checkout."""

    work_tree: Path
    work_tree_id: int
    """A copy of `history` with a work tree."""

    empty_id: int
    """A repository without a commit."""

    small_ids: list[int]

    other_key: str
    other_repository_id: int
    """Key and row of another organization."""

    repository_ids: list[int]
    """All rows of the server's first organization, in order."""


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    history = make_repository(folder / "history.git")
    gateway = Gateway(history, folder / "data", "--repository-root", str(folder))
    try:
        yield make_world(gateway, folder, history)
    finally:
        code = gateway.stop()
    assert code == 0, gateway.read_log()
    assert "Fatal error" not in gateway.read_log()


def make_world(gateway: Gateway, folder: Path, history: Path) -> World:
    def add(path: Path, organization: int) -> int:
        arguments = ["--organization", str(organization), "--data-folder", gateway.data_folder]
        return int(row("repo", "add", path, *arguments)["id"])

    own = gateway.organization_id
    data = ["--data-folder", gateway.data_folder]
    checkout_id = add(CHECKOUT, own)
    work_tree = make_repository(folder / "work tree", bare=False)
    work_tree_id = add(work_tree, own)
    empty_id = add(make_empty_repository(folder / "empty.git"), own)
    small_ids = [add(make_small_repository(folder / f"small-{n}.git", f"small {n}"), own) for n in range(9)]
    other = int(row("org", "add", "other", *data)["id"])
    other_key = row("key", "add", "--organization", str(other), *data)["key"]
    other_id = add(make_small_repository(folder / "other.git", "other"), other)
    ids = sorted([gateway.repository_id, checkout_id, work_tree_id, empty_id, *small_ids])
    return World(
        folder, gateway, history, checkout_id, work_tree, work_tree_id, empty_id, small_ids, other_key, other_id, ids
    )


@pytest.fixture
def connect(world, scm):
    """Makes clients: `connect(GrpcioClient)`, with the server's key unless another (or None) is given."""
    made = []

    def make(kind, key: str | None = world.gateway.key):
        made.append(kind(world.gateway.url, key, scm))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(params=CLIENTS, ids=lambda kind: kind.name)
def client_kind(request):
    return request.param


@pytest.fixture
def client(connect, client_kind):
    """Each client in turn, with the server's key."""
    return connect(client_kind)


@pytest.fixture
def grpcio(connect):
    return connect(GrpcioClient)
