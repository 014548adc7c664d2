"""The same calls through every client."""

import itertools

import grpc
import pytest

import porcelain
from blame_answers import lines_of, person
from clients import CallFailed
from fixture_repository import git

Code = grpc.StatusCode

# Values that must be refused before git sees them.
BAD_REVISIONS = [
    "-h", "--all", "--output=/tmp/x", "main..pages", "@{-1}", "main\x00x", "main:README.md", "a b", "^main"
]
BAD_PATHS = ["-x", "--help", "../secret", "a/../../b", "a/./b", "src/util.py\x00", ".."]


def walk(client, method, request, items):
    """All items of a list, page by page."""
    found = []
    request.page_token = ""
    while True:
        answer = client.unary(method, request)
        page = getattr(answer, items)
        assert len(page) <= request.page_size
        found += page
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def failure(call) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        call()
    return caught.value


def test_list_repositories(client, scm, world):
    answer = client.unary("ListRepositories", scm.ListRepositoriesRequest(page_size=1000))
    assert [r.id for r in answer.repositories] == world.repository_ids
    assert answer.next_page_token == ""
    first = answer.repositories[0]
    assert first.organization_id == world.gateway.organization_id
    assert first.provider == scm.PROVIDER_LOCAL_GIT
    assert first.status == scm.REPOSITORY_STATUS_ACTIVE
    assert first.name and first.external_id and first.date_added.seconds > 0


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 100])
def test_pages_of_repositories_make_up_the_list(client, scm, world, page_size):
    found = walk(client, "ListRepositories", scm.ListRepositoriesRequest(page_size=page_size), "repositories")
    assert [r.id for r in found] == world.repository_ids


def test_list_repositories_filters(client, scm, world):
    request = scm.ListRepositoriesRequest(provider=scm.PROVIDER_GITHUB)
    assert len(client.unary("ListRepositories", request).repositories) == 0
    request = scm.ListRepositoriesRequest(query="SMALL-1")
    assert [r.id for r in client.unary("ListRepositories", request).repositories] == [world.small_ids[1]]


def test_page_token_of_another_request(client, scm):
    answer = client.unary("ListRepositories", scm.ListRepositoriesRequest(page_size=2))
    for request in [
        scm.ListRepositoriesRequest(page_size=2, page_token=answer.next_page_token, query="small"),
        scm.ListRepositoriesRequest(page_size=2, page_token="forged"),
    ]:
        assert failure(lambda: client.unary("ListRepositories", request)).code == Code.INVALID_ARGUMENT


def test_get_repository(client, scm, world):
    by_id = client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=world.gateway.repository_id))
    assert by_id.default_branch == "main"
    assert client.unary("GetRepository", scm.GetRepositoryRequest(name=by_id.name)) == by_id
    external = scm.ProviderRef(provider=by_id.provider, external_id=by_id.external_id)
    assert client.unary("GetRepository", scm.GetRepositoryRequest(external=external)) == by_id


def test_get_commit(client, scm, world):
    sha = porcelain.head(world.history)
    request = scm.GetCommitRequest(repository_id=world.gateway.repository_id, sha=sha)
    commit = client.unary("GetCommit", request)
    assert commit.key == sha
    assert commit.message.encode() == git(world.history, "cat-file", "commit", sha).partition(b"\n\n")[2]
    names = git(world.history, "log", "-1", "--format=%an%n%ae%n%at%n%cn%n%ce%n%ct%n%P", sha).decode().split("\n")
    assert [commit.author.name, commit.author.email, str(commit.author.date.seconds)] == names[:3]
    assert [commit.committer.name, commit.committer.email, str(commit.date_added.seconds)] == names[3:6]
    assert list(commit.parent_shas) == names[6].split()
    for revision in [sha[:10], "main", "refs/heads/main"]:
        request.sha = revision
        assert client.unary("GetCommit", request).key == sha


@pytest.mark.parametrize("page_size", [7, 50, 1000])
def test_list_commits(client, scm, world, page_size):
    request = scm.ListCommitsRequest(repository_id=world.gateway.repository_id, page_size=page_size)
    found = [commit.key for commit in walk(client, "ListCommits", request, "commits")]
    assert found == porcelain.commits(world.history, "main")


def test_list_commits_of_a_path_and_a_range(client, scm, world):
    ask = {"repository_id": world.gateway.repository_id, "page_size": 1000}
    of_path = client.unary("ListCommits", scm.ListCommitsRequest(path="docs/README.md", **ask))
    assert [c.key for c in of_path.commits] == git(
        world.history, "log", "--format=%H", "main", "--", "docs/README.md"
    ).decode().split()
    ends = {"start_sha": "v1.0", "end_sha": "v2.0"}
    of_range = client.unary("ListCommits", scm.ListCommitsRequest(**ends, **ask))
    assert [c.key for c in of_range.commits] == porcelain.commits(world.history, "v1.0..v2.0")


def test_blame_of_one_line(client, scm, world):
    path, number = "lib/core/application.py", 40
    expected = porcelain.blame(world.history, "main", path.encode())[number - 1]
    request = scm.GetCommitContextRequest(
        repository_id=world.gateway.repository_id, commit_sha="main", filepath=path, line_number=number,
        max_age_days=-1, include_snippet=True, snippet_radius=2,
    )
    answer = client.unary("GetCommitContext", request)
    assert answer.blame_commit_id == expected.commit
    assert answer.commit_id == "main"
    assert answer.ref_used == porcelain.head(world.history)
    assert person(answer.blame_author) == expected.author
    assert answer.committed_at.seconds == expected.committer.seconds
    assert (answer.original_line, answer.original_path) == (expected.original_line, expected.original_path.decode())
    lines = git(world.history, "show", f"main:{path}").decode().split("\n")
    assert answer.code_snippet == "\n".join(lines[number - 3 : number + 2])
    assert answer.snippet_start_line == number - 2
    assert answer.range_start <= number <= answer.range_end


def test_blame_stream(client, scm, world):
    request = scm.BlameFileRequest(repository_id=world.gateway.repository_id, path="src/util.py")
    answers = lines_of(client.stream("BlameFile", request))
    assert answers == porcelain.blame(world.history, "main", b"src/util.py")


def test_a_stream_of_many_messages(client, scm, world):
    request = scm.BlameFileRequest(repository_id=world.work_tree_id, path="generated/table.csv")
    answers = lines_of(client.stream("BlameFile", request))
    assert answers == porcelain.blame(world.work_tree, "main", b"generated/table.csv")


def test_a_stream_without_messages(client, scm, world):
    request = scm.BlameFileRequest(repository_id=world.gateway.repository_id, path="empty.txt")
    assert list(client.stream("BlameFile", request)) == []


def test_create_and_delete_repository(client, client_kind, scm, world):
    from fixture_repository import make_small_repository

    folder = make_small_repository(world.folder / f"created-{client_kind.name}.git", client_kind.name)
    request = scm.CreateRepositoryRequest(provider=scm.PROVIDER_LOCAL_GIT, identifier=str(folder))
    created = client.unary("CreateRepository", request)
    assert created.id not in world.repository_ids
    assert client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=created.id)) == created
    again = failure(lambda: client.unary("CreateRepository", request))
    assert again.code == Code.ALREADY_EXISTS
    client.unary("DeleteRepository", scm.DeleteRepositoryRequest(repository_id=created.id))
    gone = failure(lambda: client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=created.id)))
    assert gone.code == Code.NOT_FOUND
    client.unary("DeleteRepository", scm.DeleteRepositoryRequest(repository_id=created.id))


@pytest.mark.parametrize("outside", ["/", "/etc", "{folder}/../x", "relative", "-h", "{folder}/not there"])
def test_create_repository_outside_of_the_allowed_folders(grpcio, scm, world, outside):
    identifier = outside.format(folder=world.folder)
    request = scm.CreateRepositoryRequest(provider=scm.PROVIDER_LOCAL_GIT, identifier=identifier)
    refused = failure(lambda: grpcio.unary("CreateRepository", request))
    assert refused.code in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.PERMISSION_DENIED)


@pytest.mark.parametrize("key", [None, "", "wrong", "scm_" + "x" * 40])
def test_unauthenticated(connect, client_kind, scm, key):
    client = connect(client_kind, key)
    assert failure(lambda: client.unary("ListRepositories", scm.ListRepositoriesRequest())).code == Code.UNAUTHENTICATED
    stream = client.stream("BlameFile", scm.BlameFileRequest(repository_id=1, path="README.md"))
    assert failure(lambda: list(stream)).code == Code.UNAUTHENTICATED


def test_another_organization(connect, client_kind, client, scm, world):
    for repository_id in [world.other_repository_id, 987654321]:
        answers = [
            failure(lambda: client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=repository_id))),
            failure(lambda: client.unary("GetCommit", scm.GetCommitRequest(repository_id=repository_id, sha="trunk"))),
            failure(lambda: client.unary("DeleteRepository", scm.DeleteRepositoryRequest(repository_id=repository_id))),
            failure(lambda: list(client.stream("BlameFile", scm.BlameFileRequest(
                repository_id=repository_id, path="name.txt")))),
        ]
        assert [answer.code for answer in answers] == [Code.NOT_FOUND] * len(answers)
    other = connect(client_kind, world.other_key)
    request = scm.GetRepositoryRequest(repository_id=world.other_repository_id)
    assert other.unary("GetRepository", request).id == world.other_repository_id
    request = scm.ListRepositoriesRequest(organization_id=world.gateway.organization_id)
    assert failure(lambda: other.unary("ListRepositories", request)).code == Code.PERMISSION_DENIED


@pytest.mark.parametrize("revision", BAD_REVISIONS)
def test_bad_revisions(client, scm, world, revision):
    repository_id = world.gateway.repository_id
    calls = [
        lambda: client.unary("GetCommit", scm.GetCommitRequest(repository_id=repository_id, sha=revision)),
        lambda: client.unary("ListCommits", scm.ListCommitsRequest(repository_id=repository_id, ref=revision)),
        lambda: client.unary("GetCommitContext", scm.GetCommitContextRequest(
            repository_id=repository_id, commit_sha=revision, filepath="src/util.py", line_number=1)),
        lambda: list(client.stream("BlameFile", scm.BlameFileRequest(
            repository_id=repository_id, ref=revision, path="src/util.py"))),
    ]
    assert [failure(call).code for call in calls] == [Code.INVALID_ARGUMENT] * len(calls)


@pytest.mark.parametrize("path", BAD_PATHS)
def test_bad_paths(client, scm, world, path):
    repository_id = world.gateway.repository_id
    calls = [
        lambda: client.unary("ListCommits", scm.ListCommitsRequest(repository_id=repository_id, path=path)),
        lambda: client.unary("GetCommitContext", scm.GetCommitContextRequest(
            repository_id=repository_id, filepath=path, line_number=1)),
        lambda: list(client.stream("BlameFile", scm.BlameFileRequest(repository_id=repository_id, path=path))),
    ]
    assert [failure(call).code for call in calls] == [Code.INVALID_ARGUMENT] * len(calls)


UNASKED_COMMITS = itertools.count(5)


def test_deadline(client, scm, world):
    """A blame that was never asked for before needs a git process, which takes more than a millisecond to start."""
    client.unary("ListRepositories", scm.ListRepositoriesRequest())
    shas = porcelain.commits(world.history, "main")
    ask = {"repository_id": world.gateway.repository_id}
    path = "generated/table.csv"
    for call in [
        lambda sha: list(client.stream("BlameFile", scm.BlameFileRequest(path=path, ref=sha, **ask), timeout=0.001)),
        lambda sha: client.unary("GetCommitContext", scm.GetCommitContextRequest(
            filepath=path, line_number=1, commit_sha=sha, max_age_days=-1, **ask), timeout=0.001),
    ]:
        sha = shas[next(UNASKED_COMMITS)]
        assert failure(lambda: call(sha)).code == Code.DEADLINE_EXCEEDED


def test_the_wrong_field_is_named(grpcio, scm, world):
    from google.rpc import error_details_pb2

    request = scm.GetCommitContextRequest(
        repository_id=world.gateway.repository_id, filepath="../x", line_number=1
    )
    failed = failure(lambda: grpcio.unary("GetCommitContext", request))
    assert failed.reason == "BAD_REQUEST"
    violations = failed.detail(error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == ["filepath"]


NOT_FOUND = [
    ("GetCommit", {"sha": "0123456789abcdef"}, "COMMIT_NOT_FOUND"),
    ("GetCommitContext", {"filepath": "no/such/file", "line_number": 1}, "FILE_NOT_FOUND"),
    ("GetCommitContext", {"filepath": "src", "line_number": 1}, "FILE_NOT_FOUND"),
    ("GetCommitContext", {"filepath": "src/util.py", "line_number": 100_000, "max_age_days": -1}, "NO_BLAME_RANGE"),
    ("GetCommitContext", {"filepath": "src/util.py", "line_number": 1, "max_age_days": 1}, "COMMIT_TOO_OLD"),
]


@pytest.mark.parametrize("method, fields, reason", NOT_FOUND)
def test_not_found_with_its_reason(grpcio, scm, world, method, fields, reason):
    request = grpcio.methods[method].request(repository_id=world.gateway.repository_id, **fields)
    failed = failure(lambda: grpcio.unary(method, request))
    assert (failed.code, failed.reason) == (Code.NOT_FOUND, reason)


@pytest.mark.parametrize("line", [0, -1, -(2**31)])
def test_line_numbers_count_from_one(grpcio, scm, world, line):
    request = scm.GetCommitContextRequest(
        repository_id=world.gateway.repository_id, filepath="src/util.py", line_number=line
    )
    assert failure(lambda: grpcio.unary("GetCommitContext", request)).code == Code.INVALID_ARGUMENT


def test_a_repository_without_a_commit(grpcio, scm, world):
    found = grpcio.unary("GetRepository", scm.GetRepositoryRequest(repository_id=world.empty_id))
    assert found.default_branch in ("", "main")
    request = scm.ListCommitsRequest(repository_id=world.empty_id)
    try:
        assert len(grpcio.unary("ListCommits", request).commits) == 0
    except CallFailed as failed:
        assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "EMPTY_REPOSITORY")


def test_a_method_that_is_not_served_says_so(grpcio, scm, world):
    """Every method of the contract answers; those not served yet with UNIMPLEMENTED, never with UNKNOWN."""
    for kind in grpcio.methods.values():
        try:
            answers = grpcio.stream(kind.name, kind.request(), timeout=20)
            next(answers, None)
        except CallFailed as failed:
            assert failed.code not in (Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE), f"{kind.name}: {failed}"
