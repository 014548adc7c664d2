"""Blame compared with `git blame --porcelain`, line by line, for every text file."""

import pytest

import porcelain
from blame_answers import lines_of, path_fields, person
from fixture_repository import git


def repositories(world) -> dict[str, tuple]:
    from gateway import CHECKOUT

    return {
        "bare": (world.history, world.gateway.repository_id),
        "work tree": (world.work_tree, world.work_tree_id),
        "this checkout": (CHECKOUT, world.checkout_id),
    }


@pytest.mark.parametrize("which", ["bare", "work tree", "this checkout"])
def test_every_text_file_at_head(grpcio, scm, world, which):
    folder, repository_id = repositories(world)[which]
    files = porcelain.text_files(folder, "HEAD")
    assert files
    for path in files:
        request = scm.BlameFileRequest(repository_id=repository_id, ref=porcelain.head(folder), **path_fields(path))
        assert lines_of(grpcio.stream("BlameFile", request)) == porcelain.blame(folder, "HEAD", path), path


@pytest.mark.parametrize("revision", ["v0.0-light", "v1.0", "feature/100", "pages", "unmerged/branch"])
def test_every_text_file_at_older_revisions(grpcio, scm, world, revision):
    for path in porcelain.text_files(world.history, revision):
        request = scm.BlameFileRequest(
            repository_id=world.gateway.repository_id, ref=revision, **path_fields(path)
        )
        assert lines_of(grpcio.stream("BlameFile", request)) == porcelain.blame(world.history, revision, path), path


def test_every_line_of_every_text_file(grpcio, scm, world):
    """One call a line; of long files every 100th line."""
    for path in porcelain.text_files(world.history, "main"):
        expected = porcelain.blame(world.history, "main", path)
        for number in range(1, len(expected) + 1, 1 if len(expected) < 1000 else 100):
            fields = path_fields(path)
            fields["filepath"] = fields.pop("path")
            request = scm.GetCommitContextRequest(
                repository_id=world.gateway.repository_id, line_number=number, max_age_days=-1, **fields
            )
            answer = grpcio.unary("GetCommitContext", request)
            line = expected[number - 1]
            assert answer.blame_commit_id == line.commit, (path, number)
            assert answer.original_line == line.original_line
            assert person(answer.blame_author) == line.author
            assert answer.boundary == line.boundary


@pytest.mark.parametrize("start, end", [(1, 1), (10, 20), (83, 83), (50, 0), (0, 5), (80, 10_000)])
def test_ranges(grpcio, scm, world, start, end):
    expected = porcelain.blame(world.history, "main", b"src/util.py")
    first, last = max(start, 1), min(end or len(expected), len(expected))
    request = scm.BlameFileRequest(
        repository_id=world.gateway.repository_id, path="src/util.py", start_line=start, end_line=end
    )
    assert lines_of(grpcio.stream("BlameFile", request), first=first) == expected[first - 1 : last]


def test_details_only_once_for_each_commit(grpcio, scm, world):
    request = scm.BlameFileRequest(
        repository_id=world.gateway.repository_id, path="generated/table.csv", omit_repeated_commits=True
    )
    seen = set()
    lines = 0
    for hunk in grpcio.stream("BlameFile", request):
        lines += hunk.line_count
        assert bool(hunk.author.name) == (hunk.commit_sha not in seen)
        seen.add(hunk.commit_sha)
    assert lines == len(git(world.history, "show", "main:generated/table.csv").splitlines())
