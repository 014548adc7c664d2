"""TLS and Unix sockets: `scm-gateway serve` against grpcio, curl and its own client."""

import hashlib
import json
import re
import signal
import ssl
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients import SERVICE, methods
from fixture_repository import make_small_repository
from gateway import BINARY, environment, row, rows, run, wait_until


class Served:
    """`scm-gateway serve` with one repository and one key."""

    def __init__(self, folder, *arguments):
        self.data = ["--data-folder", folder / "data"]
        organization = str(row("org", "add", "acme", *self.data)["id"])
        self.key = row("key", "add", "--organization", organization, "--name", "test", *self.data)["key"]
        row(
            "repo", "add", make_small_repository(folder / "small.git", "small"), "--organization", organization,
            *self.data
        )
        self.log_path = folder / "log"
        self.log = open(self.log_path, "wb")
        command = [BINARY, "serve", "--port", "0", *self.data, *arguments]
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment()
        )
        self.url = re.match(r"ready (\S+)", self.process.stdout.readline()).group(1)

    def call(self, *arguments):
        return run("call", "ListRepositories", "--api-key", self.key, *arguments)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(timeout=30) == 0
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.log.close()


@pytest.fixture
def serve(tmp_path):
    made = []

    def start(*arguments):
        made.append(Served(tmp_path, *arguments))
        return made[-1]

    yield start
    for served in made:
        served.stop()


def tls(certificates, name="server"):
    return ["--tls-certificate", certificates / f"{name}.pem", "--tls-key", certificates / f"{name}.key"]


def grpcio_list(served, scm, certificates, identity=None):
    """ListRepositories by grpcio's secure channel."""
    read = lambda name: (certificates / name).read_bytes()
    pair = {"private_key": read(f"{identity}.key"), "certificate_chain": read(f"{identity}.pem")} if identity else {}
    credentials = grpc.ssl_channel_credentials(read("servers.pem"), **pair)
    kind = methods(scm)["ListRepositories"]
    with grpc.secure_channel("localhost:" + served.url.rsplit(":", 1)[1], credentials) as channel:
        call = channel.unary_unary(kind.path, kind.request.SerializeToString, kind.response.FromString)
        return call(kind.request(), metadata=[("x-api-key", served.key)], timeout=20)


def test_every_client_over_tls(serve, scm, certificates):
    served = serve(*tls(certificates))
    assert served.url.startswith("https://127.0.0.1:")
    assert len(grpcio_list(served, scm, certificates).repositories) == 1
    authority = ["--ca-certificate", certificates / "servers.pem"]
    for wire in ["grpc", "grpc-web", "grpc-web-text"]:
        result = served.call("--address", served.url, "--wire", wire, *authority)
        assert result.returncode == 0, result.stderr
    for version in ["--http1.1", "--http2"]:
        command = ["curl", "-sS", version, "--cacert", certificates / "servers.pem", "-H", f"x-api-key: {served.key}",
                   "-H", "content-type: application/grpc-web+proto", "--data-binary", "@-", "-w", "%{http_version}",
                   "-o", "/dev/null", f"{served.url}/{SERVICE}/ListRepositories"]
        answer = subprocess.run(list(map(str, command)), input=b"\0" * 5, capture_output=True)
        assert answer.stdout == (b"2" if version == "--http2" else b"1.1"), answer.stderr


def test_who_is_not_trusted_is_told_why(serve, certificates):
    served = serve(*tls(certificates))
    unknown = served.call("--address", served.url)
    assert unknown.returncode == 14 and "no trusted root has issued" in unknown.stderr
    clear = served.call("--address", served.url.replace("https", "http"), "--timeout", "5")
    assert clear.returncode != 0
    insecure = served.call("--address", served.url, "--insecure-trust-any-server")
    assert insecure.returncode == 0, insecure.stderr


def test_client_certificates(serve, scm, certificates):
    served = serve(*tls(certificates), "--tls-client-ca", certificates / "clients.pem")
    authority = ["--address", served.url, "--ca-certificate", certificates / "servers.pem"]
    own = ["--certificate", certificates / "client.pem", "--key", certificates / "client.key"]
    assert served.call(*authority, *own).returncode == 0
    assert len(grpcio_list(served, scm, certificates, "client").repositories) == 1
    assert served.call(*authority).returncode == 14
    with pytest.raises(grpc.RpcError):
        grpcio_list(served, scm, certificates)


def test_who_called_with_which_certificate_is_seen_by_operators(serve, scm, certificates):
    """In the access log, by name and fingerprint, and in the view of live connections."""
    served = serve(
        *tls(certificates), "--tls-client-ca", certificates / "clients.pem", "--tls-client-certificates", "optional",
        "--access-log", "1", "--log-format", "json", "--admin-listen", "127.0.0.1:0")

    def lines(message):
        read = [json.loads(line) for line in served.log_path.read_text().splitlines() if line.startswith("{")]
        return [line for line in read if line["message"] == message]

    grpcio_list(served, scm, certificates, "client")
    grpcio_list(served, scm, certificates)
    assert wait_until(lambda: len(lines("call")) == 2)
    known, unknown = lines("call")
    assert known["certificate"] == "CN=client" and "certificate" not in unknown
    der = ssl.PEM_cert_to_DER_cert((certificates / "client.pem").read_text())
    assert known["certificate_sha256"] == hashlib.sha256(der).hexdigest()
    (listener,) = lines("administration listener")
    address = "localhost:" + served.url.rsplit(":", 1)[1]
    credentials = grpc.ssl_channel_credentials((certificates / "servers.pem").read_bytes())
    with grpc.secure_channel(address, credentials) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == 1
        (connection,) = [one for one in rows("admin", "connections", "--address", listener["url"]) if one["streams"]]
        assert connection["tls"] == "yes"
        watch.cancel()


def test_new_certificates_without_restart(serve, tmp_path, certificates):
    current = tmp_path / "certificates"
    current.mkdir()

    def install(name):
        for kind in ["pem", "key"]:
            (current / f"server.{kind}").write_bytes((certificates / f"{name}.{kind}").read_bytes())

    def subject():
        command = ["openssl", "s_client", "-connect", served.url.removeprefix("https://")]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    install("server")
    served = serve(*tls(current))
    assert "CN = server" in subject()
    install("renewed")
    served.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: "CN = renewed" in subject(), seconds=30)
    (current / "server.pem").write_text("nonsense")
    served.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: b"the old certificates stay in use" in served.log_path.read_bytes(), seconds=30)
    assert "CN = renewed" in subject()


def test_the_server_name_chooses_the_certificate(serve, certificates):
    served = serve(
        *tls(certificates), "--tls-additional-certificate", f"{certificates}/other.pem:{certificates}/other.key"
    )
    host, port = served.url.removeprefix("https://").split(":")
    for name, expected in (("localhost", "server"), ("a.other.test", "other"), ("unknown.test", "server")):
        arguments = ["-connect", f"{host}:{port}", "-servername", name, "-CAfile", certificates / "servers.pem"]
        text = subprocess.run(
            ["openssl", "s_client", "-alpn", "h2", *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60,
        ).stdout
        assert f"subject=CN = {expected}\n" in text
        assert "Verify return code: 0 (ok)" in text


def test_a_unix_socket(serve, scm, tmp_path):
    path = tmp_path / "socket"
    served = serve("--listen", f"unix:{path}", "--socket-permissions", "660")
    assert served.url == f"unix:{path}"
    assert path.stat().st_mode & 0o777 == 0o660
    kind = methods(scm)["ListRepositories"]
    with grpc.insecure_channel(served.url) as channel:
        call = channel.unary_unary(kind.path, kind.request.SerializeToString, kind.response.FromString)
        answer = call(kind.request(), metadata=[("x-api-key", served.key)], timeout=20)
    assert len(answer.repositories) == 1
    called = served.call("--address", served.url)
    assert called.returncode == 0 and '"repositories"' in called.stdout, called.stderr


def test_the_ready_line_prefers_a_port_to_a_socket(serve, tmp_path):
    served = serve("--listen", f"unix:{tmp_path / 'socket'},127.0.0.1")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", served.url)
    assert served.call("--address", served.url).returncode == 0


@pytest.mark.parametrize("arguments, words", [
    (["--tls-certificate", "x.pem"], "--tls-key"),
    (["--tls-key", "x.key"], "--tls-certificate"),
    (["--tls-client-ca", "x.pem"], "--tls-certificate"),
    (["--tls-additional-certificate", "x:y"], "--tls-certificate"),
    (["--tls-certificate", "x", "--tls-key", "x", "--tls-additional-certificate", "y"], "CERTIFICATE:KEY"),
    (["--tls-certificate", "/no/such.pem", "--tls-key", "x"], "/no/such.pem: No such file"),
    (["--tls-certificate", "x", "--tls-key", "x", "--tls-client-certificates", "required"], "--tls-client-ca"),
    (["--tls-certificate", "x", "--tls-key", "x", "--tls-client-certificates", "maybe"], "maybe"),
    (["--socket-permissions", "rw"], "octal"),
    (["--listen", "unix:"], "path"),
])
def test_settings_that_do_not_fit_are_named(arguments, words, tmp_path):
    result = run("serve", "--data-folder", tmp_path / "data", *arguments)
    assert result.returncode != 0
    assert words in result.stderr and "Fatal error" not in result.stderr
