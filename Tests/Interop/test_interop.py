"""gRPC interoperability: our server and client against grpcio's and against each other. See `scripts/test`."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import python_client
import python_server
from relay import Relay

HERE = Path(__file__).resolve().parent
BINARIES = Path(os.environ.get("INTEROP_BINARIES", HERE.parents[1] / ".build/debug"))
WIRES = ["grpc", "grpc-web", "grpc-web-http2", "grpc-web-text", "grpc-web-text-http2", "connect", "connect-http2"]
CASES = [name.removeprefix("case_") for name in dir(python_client.Stub) if name.startswith("case_")]


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    protos = HERE / "Protos"
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"--python_out={folder}",
                    "grpc/testing/empty.proto", "grpc/testing/messages.proto"], check=True)
    # A package "grpc" of ours would hide grpcio's.
    import grpc
    grpc.__path__.append(str(folder / "grpc"))
    modules = [importlib.import_module(f"grpc.testing.{name}_pb2") for name in ["empty", "messages"]]
    return SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})


@pytest.fixture(scope="module")
def our_port():
    process = subprocess.Popen([BINARIES / "InteropServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(re.fullmatch(r"ready (\d+)\n", process.stdout.readline())[1])
    finally:
        process.stdin.close()
        assert process.wait(timeout=20) == 0


GRPC_SWIFT = os.environ.get("GRPC_SWIFT_PEER")


def run_client(port, wire, *options):
    command = [BINARIES / "InteropClient", "--port", str(port), "--wire", wire, *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return [line for line in result.stdout.splitlines() if line.startswith("ok ")]


@pytest.mark.parametrize("case", CASES)
def test_grpcio_client(messages, our_port, case):
    python_client.cases(messages, our_port)[case]()


def test_grpcio_server(messages):
    server, port = python_server.start(messages)
    try:
        assert len(run_client(port, "grpc")) == 18
    finally:
        server.stop(None)


# Case -> the least bytes that the client sends and receives, and how many more there may be for frames and heads. What
# is compressed does not count: zeros.
TRAFFIC = {
    # One call compressed; the other, and the first one, which is wrong on purpose, not.
    "client_compressed_unary": (2 * 271828, 3 * 314159),
    "server_compressed_unary": (2 * 271828, 314159),
    # As above; then a stream of which every second message is compressed.
    "client_compressed_streaming": (2 * 74922 + 45904 + 8, 0),
    "server_compressed_streaming": (0, 92653),
}


@pytest.mark.parametrize("case", TRAFFIC)
def test_grpcio_server_compression(messages, case):
    """What our client sends is compressed message by message as it says, and so is what grpcio's server answers."""
    server, port = python_server.start(messages)
    try:
        with Relay(port) as relay:
            assert run_client(relay.port, "grpc", case) == [f"ok {case}"]
            sent, received = TRAFFIC[case]
            assert sent <= relay.sent < sent + 8_000, relay.sent
            assert received <= relay.received < received + 8_000, relay.received
    finally:
        server.stop(None)


@pytest.mark.parametrize("wire", WIRES)
def test_each_other(our_port, wire):
    assert len(run_client(our_port, wire, "--checks-compression")) >= 16


@pytest.mark.skipif(not GRPC_SWIFT, reason="GRPC_SWIFT_PEER names no program")
def test_grpc_swift_client(our_port):
    result = subprocess.run([GRPC_SWIFT, "client", str(our_port)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("ok ") == 18


@pytest.mark.skipif(not GRPC_SWIFT, reason="GRPC_SWIFT_PEER names no program")
def test_grpc_swift_server():
    process = subprocess.Popen([GRPC_SWIFT, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.fullmatch(r"ready (\d+)\n", process.stdout.readline())[1])
        assert len(run_client(port, "grpc")) == 18
    finally:
        process.stdin.close()
        process.wait(timeout=20)
