"""Connect's unary JSON by `curl` alone: what a person without any library gets."""

import grpc
import pytest

from clients import CallFailed
from curl_client import CurlJSONClient

Code = grpc.StatusCode


def test_plain_post(connect, scm, world):
    answer = connect(CurlJSONClient).unary("ListRepositories", scm.ListRepositoriesRequest(page_size=1000))
    assert [r.id for r in answer.repositories] == world.repository_ids


def test_errors_are_json(connect, scm):
    with pytest.raises(CallFailed) as caught:
        connect(CurlJSONClient).unary("GetRepository", scm.GetRepositoryRequest(repository_id=999_999_999))
    assert caught.value.code == Code.NOT_FOUND
    assert caught.value.message
    with pytest.raises(CallFailed) as caught:
        connect(CurlJSONClient, None).unary("ListRepositories", scm.ListRepositoriesRequest())
    assert caught.value.code == Code.UNAUTHENTICATED


def test_deadline_is_understood(connect, scm, world):
    answer = connect(CurlJSONClient).unary("ListRepositories", scm.ListRepositoriesRequest(page_size=1), timeout=20)
    assert len(answer.repositories) == 1
