"""What was published of Protos/ stays; scripts/contract checks the rest."""

# Numbers that were published; moving one breaks clients.
FROZEN = {
    "Repository": "id organization_id name url provider external_id status date_added config",
    "Commit": "id repository_id key message author date_added file_changes",
    "CommitAuthor": "name email external_id",
    "CodeMapping": "id organization_id project_id repository_id stack_root source_root default_branch",
    "ExternalIssue": "id organization_id integration_id key title description web_url metadata",
    "CommitContext": "repository_id commit_id filename line_number blame_commit_id blame_author code_snippet",
}

PROVIDERS = {
    "PROVIDER_UNSPECIFIED": 0, "PROVIDER_GITHUB": 1, "PROVIDER_GITLAB": 2, "PROVIDER_BITBUCKET": 3,
    "PROVIDER_BITBUCKET_SERVER": 4, "PROVIDER_AZURE_DEVOPS": 5, "PROVIDER_GITHUB_ENTERPRISE": 6,
    "PROVIDER_LOCAL_GIT": 9,
}


def test_published_numbers_stay(scm):
    for name, fields in FROZEN.items():
        message = scm.DESCRIPTOR.message_types_by_name[name]
        assert [message.fields_by_name[field].number for field in fields.split()] == list(
            range(1, len(fields.split()) + 1)
        )
    assert dict(scm.Provider.items()) == PROVIDERS


def test_no_client_streaming(scm):
    """gRPC-Web cannot do it."""
    service = scm.DESCRIPTOR.services_by_name["ScmService"]
    assert not [method.name for method in service.methods if method.client_streaming]
