"""JSON over plain HTTP: resources, methods, problems, and the OpenAPI document held against the server."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from fixture_repository import make_repository
from gateway import Gateway, row, rows
from raw_http import RawHTTP

schemathesis.checks.load_all_checks()
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in [
        "not_a_server_error", "content_type_conformance", "response_schema_conformance", "status_code_conformance"
    ]
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A server of its own: made-up requests change it."""
    folder = tmp_path_factory.mktemp("rest")
    server = Gateway(make_repository(folder / "history.git"), folder / "data")
    yield server
    assert server.stop() == 0
    assert "Fatal error" not in server.read_log()


@pytest.fixture(scope="module")
def document(gateway):
    """The OpenAPI document; it needs no key."""
    with urllib.request.urlopen(f"{gateway.url}/v1/openapi.json", timeout=30) as answer:
        assert answer.headers["content-type"] == "application/json"
        return json.load(answer)


def ask(gateway, path, body=None, key=True, headers=None, verb=None):
    """Status, headers and JSON of an answer."""
    fields = {"x-api-key": gateway.key} if key else {}
    if body is not None:
        fields["content-type"] = "application/json"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(gateway.url + path, data=body, headers=fields | (headers or {}), method=verb)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


def test_resources_are_read_with_get(gateway):
    place = f"/v1/repositories/{gateway.repository_id}"
    status, headers, found = ask(gateway, place)
    assert (status, found["id"]) == (200, str(gateway.repository_id))
    assert headers["content-type"] == "application/json" and headers["cache-control"] == "no-store"
    _, _, commits = ask(gateway, f"{place}/commits?pageSize=2&path=lib/core/application.py&skip_merges=true")
    assert len(commits["commits"]) == 2
    sha = commits["commits"][0]["key"]
    assert ask(gateway, f"{place}/commits/{sha}")[2]["key"] == sha
    assert ask(gateway, f"{place}/commits/{sha}/files?includeStats=true")[2]["fileChanges"]
    path = urllib.parse.quote("lib/core/application.py", safe="")
    for written in [path, "lib/core/application.py"]:
        blame = f"{place}/blame/{written}?lineNumber=1&maxAgeDays=-1&options.ignoreWhitespace=true"
        assert ask(gateway, blame)[2]["filename"] == "lib/core/application.py"
    assert ask(gateway, "/v1/repositories?statuses=REPOSITORY_STATUS_ACTIVE&statuses=2&query=hist")[2]["repositories"]
    assert ask(gateway, f"{place}/revisions/refs/heads/main")[2]["objectId"]


def test_resources_are_made_changed_and_removed(gateway):
    """POST, PATCH, PUT and DELETE; body, path and query are one request, and the path wins."""
    mapping = {"projectId": 1, "repositoryId": gateway.repository_id, "stackRoot": "/srv/rest/", "sourceRoot": ""}
    status, _, made = ask(gateway, "/v1/code-mappings", mapping)
    assert (status, made["stackRoot"]) == (200, "/srv/rest/")
    place = f"/v1/code-mappings/{made['id']}"
    change = {"id": "4711", "sourceRoot": "lib/", "stackRoot": "not in the mask"}
    status, _, changed = ask(gateway, f"{place}?updateMask=sourceRoot", change, verb="PATCH")
    assert (
        status, changed["id"], changed["sourceRoot"], changed["stackRoot"]
    ) == (200, made["id"], "lib/", "/srv/rest/")
    status, _, owners = ask(gateway, f"{place}/code-owners", {"raw": "*.py @backend"}, verb="PUT")
    assert status == 200 and owners["codeMappingId"] == made["id"]
    status, _, again = ask(gateway, "/v1/code-owners", {"codeMappingId": made["id"], "raw": "*.py @backend"})
    assert (status, again["id"]) == (200, owners["id"]), "another binding of the same method"
    status, _, problem = ask(gateway, place, verb="DELETE")
    assert (status, problem["reason"]) == (400, "CODEOWNERS_USES_MAPPING")
    assert ask(gateway, f"{place}/code-owners", verb="DELETE")[0] == 200
    assert ask(gateway, place, verb="DELETE")[0] == 200
    assert ask(gateway, place)[0] == 404


def test_verbs_behind_a_colon(gateway):
    _, _, issue = ask(gateway, "/v1/issues", {"project": "rest", "title": "slow", "groupId": "7"})
    place = f"/v1/issues/{issue['id']}"
    sync = {"direction": "SYNC_DIRECTION_OUTBOUND", "groupId": "7", "resolved": True}
    assert ask(gateway, f"{place}:syncStatus", sync)[0] == 200
    assert ask(gateway, f"{place}?integrationId=0")[2]["state"] == "ISSUE_STATE_CLOSED"
    lines = {"repositoryId": gateway.repository_id, "lines": [{"path": "lib/core/application.py", "line": 1}]}
    assert len(ask(gateway, "/v1/blame:batchGet", lines)[2]["results"]) == 1
    assert ask(gateway, "/v1/repositories/by-name/history")[2]["id"] == str(gateway.repository_id)
    assert ask(gateway, f"{place}/groups/7", verb="DELETE")[0] == 200
    settings = ask(gateway, "/v1/integrations/0/issue-settings?updateMask=syncComments", {}, verb="PATCH")[2]
    assert "syncComments" not in settings and settings["syncStatusForward"] is True
    check = {"name": "tests", "status": "CHECK_STATUS_RUNNING"}
    _, _, commits = ask(gateway, f"/v1/repositories/{gateway.repository_id}/commits?pageSize=1")
    sha = commits["commits"][0]["key"]
    checks = f"/v1/repositories/{gateway.repository_id}/commits/{sha}/checks"
    assert ask(gateway, checks, check)[2]["sha"] == sha
    assert [found["name"] for found in ask(gateway, checks)[2]["statusChecks"]] == ["tests"]


def test_every_unary_method_takes_post(gateway, document):
    status, _, found = ask(gateway, "/v1/GetRepository", {"repositoryId": gateway.repository_id})
    assert (status, found["id"]) == (200, str(gateway.repository_id))
    posts = {path for path, item in document["paths"].items() if "post" in item}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = {operation["operationId"] for operation in operations}
    assert len(names) == len(operations)
    # Each is a resource too, and says what it does.
    methods = {name for name in names if name[0].isupper()}
    assert {name[0].lower() + name[1:] for name in methods} <= names and len(methods) > 45
    assert all(operation["summary"] and operation["description"] for operation in operations)
    assert {"/v1/BatchGetCommitContext", "/v1/CreateCodeMapping", "/v1/ListRepositories"} < posts
    assert not any("BlameFile" in path or "GetTree" in path for path in posts), "streams are not for REST"


@pytest.mark.parametrize("path, body, status, code, text", [
    ("/v1/repositories/4711", None, 404, "NOT_FOUND", "no such repository"),
    ("/v1/repositories/none", None, 400, "INVALID_ARGUMENT", "repository"),
    ("/v1/repositories?pagesize=1", None, 400, "INVALID_ARGUMENT", "pagesize"),
    ("/v1/repositories?pageSize=1&pageSize=2", None, 400, "INVALID_ARGUMENT", "more than once"),
    ("/v1/repositories?includeTotalSize=yes", None, 400, "INVALID_ARGUMENT", "true or false"),
    ("/v1/repositories?query=%zz", None, 400, "INVALID_ARGUMENT", "percent-encoding"),
    ("/v1/ListRepositories", b"{", 400, "INVALID_ARGUMENT", "not valid JSON"),
    ("/v1/ListRepositories", b"", 400, "INVALID_ARGUMENT", "not valid JSON"),
    ("/v1/nothing", None, 404, None, "openapi.json"),
    ("/v1/BlameFile", b"{}", 404, None, "openapi.json"),
    ("/v1/ListRepositories", None, 405, None, "POST"),
    ("/v1/integrations", b"{}", 405, None, "GET"),
    ("/v1/issues/1:syncStatus", None, 405, None, "POST"),
    ("/v1/issues", b"{", 400, "INVALID_ARGUMENT", "not valid JSON"),
    ("/v1/issues?project=a", b"{}", 400, "INVALID_ARGUMENT", "no query"),
    ("/v1/issues", b'{"title": 5}', 400, "INVALID_ARGUMENT", "not valid JSON"),
])
def test_problems(gateway, path, body, status, code, text):
    """RFC 9457."""
    found, headers, problem = ask(gateway, path, body)
    assert found == problem["status"] == status and problem.get("code") == code, problem
    assert headers["content-type"] == "application/problem+json" and problem["type"] == "about:blank"
    assert text in problem["detail"] and problem["title"]
    if status == 405:
        assert headers["allow"].split(", ")[0] == text


def test_problems_say_why(gateway):
    _, _, problem = ask(gateway, "/v1/repositories/4711")
    assert (problem["reason"], problem["domain"]) == ("REPOSITORY_NOT_FOUND", "scm")
    _, _, problem = ask(gateway, f"/v1/repositories/{gateway.repository_id}/commits?pageSize=-1")
    assert problem["violations"][0]["field"] == "page_size"
    status, headers, problem = ask(gateway, "/v1/repositories", key=False)
    assert (status, headers["www-authenticate"], problem["code"]) == (401, "Bearer", "UNAUTHENTICATED")
    status, _, problem = ask(gateway, "/v1/ListRepositories", b"{}", headers={"content-type": "text/plain"})
    assert status == 415 and "application/json" in problem["detail"]


def test_other_verbs_and_origins(gateway):
    with RawHTTP(gateway.port) as raw:
        head = f"host: x\r\nx-api-key: {gateway.key}\r\n"
        raw.send(f"PUT /v1/repositories/1 HTTP/1.1\r\n{head}content-length: 0\r\n\r\n".encode())
        answer = raw.read_answer()
        assert answer.status == 405 and answer.headers["allow"] == "DELETE, GET, PATCH, OPTIONS"
        ask_first = "origin: http://a.example\r\naccess-control-request-method: GET\r\n"
        raw.send(f"OPTIONS /v1/repositories HTTP/1.1\r\n{head}{ask_first}\r\n".encode())
        answer = raw.read_answer()
        assert answer.status == 204 and "access-control-allow-origin" not in answer.headers


def test_limits_and_audit_are_those_of_calls(gateway):
    data = ["--data-folder", gateway.data_folder]
    organization = ["--organization", str(gateway.organization_id)]
    key = row("key", "add", *organization, "--calls-per-minute", "1", *data)["key"]
    statuses = [ask(gateway, "/v1/repositories", headers={"x-api-key": key})[0] for _ in range(3)]
    assert statuses == [200, 429, 429]
    _, headers, problem = ask(gateway, "/v1/repositories", headers={"x-api-key": key})
    assert problem["reason"] == "RATE_LIMITED" and 1 <= int(headers["retry-after"]) <= 60
    ask(gateway, "/v1/repositories/4711", verb="DELETE")
    assert rows("audit", "--limit", "1", *data)[0]["subject"] == "repositoryId=4711"
    assert rows("audit", "--subject", "repositoryId=4711", "--outcome", "NOT_FOUND", *data)


# ------------------------------------------------------------------------------------------------ OpenAPI


def test_the_server_keeps_to_its_document(gateway, document):
    """Requests made up from the document: never a server error, answers always as described."""
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(operations) > 100
    for operation in operations:
        answers = []

        @settings(
            max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask_as_described(case):
            answer = case.call(base_url=gateway.url, headers={"x-api-key": gateway.key}, timeout=60)
            # What is not served here says so; that is an answer too.
            is_unimplemented = answer.status_code == 501 and answer.json()["code"] == "UNIMPLEMENTED"
            case.validate_response(answer, checks=CHECKS[1:] if is_unimplemented else CHECKS)
            answers.append(answer.status_code)

        ask_as_described()
        assert answers, operation.label


def test_the_examples_of_the_document_are_fine_requests(gateway, document):
    """Every request has an example that the server understands, and that fits its own schema."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            query = []
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    path = path.replace(
                        "{" + parameter["name"] + "}", urllib.parse.quote(str(parameter["example"]), "")
                    )
                elif "example" in parameter:
                    values = parameter["example"] if isinstance(parameter["example"], list) else [parameter["example"]]
                    query += [(parameter["name"], str(value)) for value in values]
            body = None
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["example"]
            target = path + ("?" + urllib.parse.urlencode(query) if query else "")
            status, _, answer = ask(gateway, target, body, verb=verb.upper())
            assert status < 500 or answer.get("reason") == "CAPABILITY_MISSING", (target, answer)
            assert "not valid JSON" not in answer.get("detail", ""), (target, body, answer)
            assert str(status) in operation["responses"] or status == 412, (target, status)
