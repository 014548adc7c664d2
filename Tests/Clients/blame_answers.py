"""Turns answers about blame into the form that `porcelain.blame` gives, so that both can be compared."""

from porcelain import BlamedLine, Person


def path_bytes(text: str, raw: bytes) -> bytes:
    return raw or text.encode()


def path_fields(path: bytes) -> dict:
    """Fields of a request for a path: `path`, or `raw_path` when it is not UTF-8."""
    try:
        return {"path": path.decode()}
    except UnicodeDecodeError:
        return {"path": path.decode(errors="replace"), "raw_path": path}


def person(author) -> Person:
    return Person(author.name, author.email, author.date.seconds)


def lines_of(hunks, first: int = 1) -> list[BlamedLine]:
    """The lines of all hunks in line order; fails unless they cover the lines from `first` on exactly once."""
    lines = {}
    for hunk in hunks:
        assert hunk.line_count > 0
        assert hunk.committed_at.seconds == hunk.committer.date.seconds
        for offset in range(hunk.line_count):
            number = hunk.first_line + offset
            assert number not in lines, f"line {number} comes twice"
            lines[number] = BlamedLine(
                commit=hunk.commit_sha,
                original_line=hunk.original_first_line + offset,
                original_path=path_bytes(hunk.original_path, hunk.raw_original_path),
                summary=hunk.summary,
                author=person(hunk.author),
                committer=person(hunk.committer),
                previous_commit=hunk.previous_sha,
                previous_path=path_bytes(hunk.previous_path, hunk.raw_previous_path),
                boundary=hunk.boundary,
            )
    assert sorted(lines) == list(range(first, first + len(lines)))
    return [lines[number] for number in sorted(lines)]
