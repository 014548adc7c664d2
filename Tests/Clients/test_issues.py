"""The built-in issue tracker through every client."""

import uuid

from test_calls import Code, failure, walk


def test_an_issue_from_its_making_to_its_end(client, client_kind, scm, connect, world):
    project = f"of-{client_kind.name}"
    request = scm.CreateExternalIssueRequest(
        group_id=7, project=project, title="broken \N{BUG}", labels=["bug"], assignee="@Octo",
        request_id=str(uuid.uuid4()))
    made = client.unary("CreateExternalIssue", request)
    assert (
        made.key, made.title, list(made.labels), made.assignee
    ) == (f"{project}#1", "broken \N{BUG}", ["bug"], "octo")
    assert list(made.linked_group_ids) == [7] and made.state == scm.ISSUE_STATE_OPEN
    assert client.unary("CreateExternalIssue", request) == made
    again = failure(lambda: client.unary(
        "LinkExternalIssue", scm.LinkExternalIssueRequest(group_id=7, external_key=made.key)))
    assert again.code == Code.ALREADY_EXISTS
    for body in ["one", "two", "three"]:
        client.unary("CreateIssueComment", scm.CreateIssueCommentRequest(external_issue_id=made.id, body=body))
    comments = walk(
        client, "ListIssueComments", scm.ListIssueCommentsRequest(external_issue_id=made.id, page_size=2), "comments")
    assert [comment.body for comment in comments] == ["one", "two", "three"]
    client.unary("SyncIssueStatus", scm.SyncIssueStatusRequest(
        external_issue_id=made.id, direction=scm.SYNC_DIRECTION_OUTBOUND, group_id=7, resolved=True))
    hits = walk(client, "SearchIssues", scm.SearchIssuesRequest(project=project, page_size=1), "results")
    assert [(hit.key, hit.state, hit.external_issue_id) for hit in hits] == [
        (made.key, scm.ISSUE_STATE_CLOSED, made.id)]
    get = scm.GetExternalIssueRequest(external_issue_id=made.id)
    stranger = connect(client_kind, world.other_key)
    assert failure(lambda: stranger.unary("GetExternalIssue", get)).code == Code.NOT_FOUND
    client.unary("UnlinkExternalIssue", scm.UnlinkExternalIssueRequest(external_issue_id=made.id, group_id=7))
    assert failure(lambda: client.unary("GetExternalIssue", get)).code == Code.NOT_FOUND
