"""What operators see: health, reflection, metrics, administration, access log, drain. Real clients, a real process."""

import json
import re
import signal
import threading
import urllib.error
import urllib.request

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from fixture_repository import make_small_repository
from gateway import Gateway, row, rows, run, wait_until

SERVICE = "sentry.integrations.scm.v1.ScmService"
LIST = f"/{SERVICE}/ListRepositories"


@pytest.fixture
def operated(tmp_path):
    """Its own server, with an administration listener and an access log in JSON."""
    repository = make_small_repository(tmp_path / "a.git", "a")
    arguments = ["--admin-listen", "127.0.0.1:0", "--access-log", "1", "--log-format", "json", "--drain-delay", "1"]
    gateway = Gateway(repository, tmp_path / "data", *arguments)
    yield gateway
    gateway.stop()


def log_lines(gateway):
    return [json.loads(line) for line in gateway.read_log().splitlines() if line.startswith("{")]


def admin_url(gateway):
    assert wait_until(lambda: "administration listener" in gateway.read_log())
    (line,) = [line for line in log_lines(gateway) if line["message"] == "administration listener"]
    return line["url"]


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def place(url):
    return url.removeprefix("http://")


def list_repositories(gateway, scm, key=None, **metadata):
    with grpc.insecure_channel(place(gateway.url)) as channel:
        call = channel.unary_unary(
            LIST, request_serializer=scm.ListRepositoriesRequest.SerializeToString,
            response_deserializer=scm.ListRepositoriesResponse.FromString)
        pairs = [("x-api-key", key or gateway.key), *metadata.items()]
        return call(scm.ListRepositoriesRequest(), metadata=pairs, timeout=10)


def test_health_needs_no_key(operated):
    assert get(f"{operated.url}/healthz") == (200, b"ok\n")
    assert get(f"{operated.url}/readyz") == (200, b"ready\n")
    with grpc.insecure_channel(place(operated.url)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ["", SERVICE]:
            assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == 1
        with pytest.raises(grpc.RpcError) as error:
            stub.Check(health_pb2.HealthCheckRequest(service="no.Such"), timeout=10)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_what_the_public_port_does_not_tell(operated, scm):
    for path in ["/metrics", "/descriptors"]:
        assert get(operated.url + path)[0] == 404
    assert run("admin", "methods", "--address", operated.url).returncode == 16
    denied = run("admin", "methods", "--address", operated.url, "--api-key", operated.key)
    assert denied.returncode == 7 and "scm:admin" in denied.stderr
    with grpc.insecure_channel(place(operated.url)) as channel, pytest.raises(grpc.RpcError) as error:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    data = ["--data-folder", operated.data_folder]
    key = row("key", "add", "--organization", 1, "--scope", "scm:admin", *data)["key"]
    assert rows("admin", "methods", "--address", operated.url, "--api-key", key)
    # The scope opens administration and nothing else.
    with pytest.raises(grpc.RpcError) as error:
        list_repositories(operated, scm, key)
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_reflection_and_descriptors(operated):
    url = admin_url(operated)
    with grpc.insecure_channel(place(url)) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in database.get_services()
        pool = DescriptorPool(database)
        methods = pool.FindServiceByName(SERVICE).methods_by_name
        assert methods["BlameFile"].input_type.full_name == "sentry.integrations.scm.v1.BlameFileRequest"
        assert pool.FindMessageTypeByName("google.protobuf.Duration").fields_by_name["nanos"].number == 2
        with pytest.raises(KeyError):
            pool.FindMessageTypeByName("no.Such")
    status, body = get(f"{url}/descriptors")
    files = descriptor_pb2.FileDescriptorSet.FromString(body)
    assert status == 200
    other = DescriptorPool()
    for file in files.file:
        other.Add(file)  # imported ones first, or this fails
    assert other.FindServiceByName(SERVICE).GetOptions() is not None


def test_metrics_and_access_log(operated, scm):
    url = admin_url(operated)
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for _ in range(3):
        list_repositories(operated, scm, **{"traceparent": parent, "x-request-id": "r-1"})
    with pytest.raises(grpc.RpcError):
        list_repositories(operated, scm, "scm_wrong_key_of_enough_characters")
    page = get(f"{url}/metrics")[1].decode()
    label = f'listener="public",service="{SERVICE}",method="ListRepositories"'
    assert f"rpc_calls_started_total{{{label}}} 4\n" in page
    assert f'rpc_calls_finished_total{{{label},code="OK"}} 3\n' in page
    assert f'rpc_calls_finished_total{{{label},code="UNAUTHENTICATED"}} 1\n' in page
    assert f"rpc_call_duration_seconds_count{{{label}}} 4\n" in page
    for line in page.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? -?[0-9.]+', line), line
    opened = get(f"{url}/metrics", Accept="application/openmetrics-text")[1].decode()
    assert opened.endswith("# EOF\n")
    calls = [line for line in log_lines(operated) if line["message"] == "call"]
    assert [line["grpc_status"] for line in calls] == ["OK", "OK", "OK", "UNAUTHENTICATED"]
    assert calls[0]["method"] == LIST and calls[0]["identity"] == "key 1 organization 1"
    assert calls[0]["trace_id"] == parent.split("-")[1] and calls[0]["request_id"] == "r-1"
    assert operated.key not in operated.read_log() and "scm_wrong_key" not in operated.read_log()


def test_connections_streams_and_the_switch(operated, scm):
    url = admin_url(operated)
    with grpc.insecure_channel(place(operated.url)) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == 1
        (connection,) = [c for c in rows("admin", "connections", "--address", url) if c["protocol"] == "h2"]
        assert connection["streams"] == 1 and connection["tls"] == "no"
        (stream,) = rows("admin", "streams", "--address", url)
        assert stream["path"] == "/grpc.health.v1.Health/Watch" and stream["handler"] == "running"
        watch.cancel()
    (off,) = rows("admin", "disable", LIST, "--reason", "spring cleaning", "--address", url)
    assert off["enabled"] == "no"
    with pytest.raises(grpc.RpcError) as error:
        list_repositories(operated, scm)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "switched off by the operator: spring cleaning" in error.value.details()
    rows("admin", "enable", LIST, "--address", url)
    assert list_repositories(operated, scm).repositories
    assert run("admin", "disable", "/no/Such", "--address", url).returncode == 5


def test_drain_with_live_streams(operated):
    """SIGTERM: not ready, watchers told, then their streams end and the process too."""
    seen = []
    with grpc.insecure_channel(place(operated.url)) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == 1

        def read():
            try:
                for answer in watch:
                    seen.append(answer.status)
            except grpc.RpcError as error:
                seen.append(error.code())

        reader = threading.Thread(target=read)
        reader.start()
        operated.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: seen == [2])
        # In drainDelay the port still answers.
        assert get(f"{operated.url}/readyz") == (503, b"not ready\n")
        assert get(f"{operated.url}/healthz") == (200, b"ok\n")
        reader.join(timeout=20)
        assert seen == [2, grpc.StatusCode.UNAVAILABLE]
    assert operated.process.wait(timeout=20) == 0


def test_settings_are_checked(tmp_path):
    for arguments, text in [
        (["--admin-listen", "9090"], "adminListen must look like 127.0.0.1:9090"),
        (["--access-log", "2"], "accessLog must be 0 to 1"),
        (["--drain-delay=-1"], "drainDelay must be 0 to 3600"),
        (["--disable-method", "/no/Such"], "there is no method"),
    ]:
        result = run("serve", "--port", "0", "--data-folder", tmp_path, *arguments)
        assert result.returncode != 0 and text in result.stderr, result.stderr


def test_code_that_only_starting_needed_is_given_back(operated):
    """Of the program's code (r-xp), what lies in the server's memory once it waits; without, four fifths."""
    resident = size = 0
    inside = False
    with open(f"/proc/{operated.pid}/smaps") as maps:
        for line in maps:
            fields = line.split()
            if not fields[0].endswith(":"):
                inside = fields[1] == "r-xp" and fields[-1].endswith("/scm-gateway")
            elif inside and fields[0] in ("Size:", "Rss:"):
                resident += int(fields[1]) if fields[0] == "Rss:" else 0
                size += int(fields[1]) if fields[0] == "Size:" else 0
    assert size > 0
    assert resident < size / 2, f"{resident} of {size} KiB"
