"""What was published of Protos/ stays; scripts/contract checks the rest."""

import re
import subprocess

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway import BINARY, CHECKOUT

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


# What is released of silo services, and what may not happen to it: `protoc-gen-framecodec check-silo`, as
# `scripts/contract check` runs it. The rules themselves are tested in SiloEvolutionTests.

RELEASED = CHECKOUT / "Protos/released/contract.binpb"
CHECKER = BINARY.parent / "protoc-gen-framecodec"


def released() -> FileDescriptorSet:
    return FileDescriptorSet.FromString(RELEASED.read_bytes())


def file_of(files: FileDescriptorSet, name: str):
    return next(file for file in files.file if file.name == name)


def check(tmp_path, files: FileDescriptorSet) -> tuple[int, str]:
    current = tmp_path / "current.binpb"
    current.write_bytes(files.SerializeToString())
    done = subprocess.run([CHECKER, "check-silo", RELEASED, current], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_every_silo_service_is_released():
    there = {f".{file.package}.{service.name}" for file in released().file for service in file.service}
    declared = set()
    for path in (CHECKOUT / "Protos/silo").rglob("*.proto"):
        text = path.read_text()
        package = re.search(r"^package (\S+);", text, re.M).group(1)
        declared |= {f".{package}.{name}" for name in re.findall(r"^service (\w+)", text, re.M)}
    assert len(declared) >= 6 and declared <= there, "run scripts/contract release"


def test_the_released_silo_services_stay(tmp_path):
    assert check(tmp_path, released()) == (0, "")
    files = released()
    service = file_of(files, "silo/v1/organization_mapping.proto").service[0]
    removed = service.method[0].name
    del service.method[0]
    status, text = check(tmp_path, files)
    assert status == 1 and f"organization_mapping.{removed}: was removed while it was in use" in text


def test_the_released_silo_services_go_in_order(tmp_path):
    """Lifecycle: field 9 of (silo.method), which is field 50500 of a method's options."""
    for lifecycle, is_safe in [(2, True), (3, False)]:
        files = released()
        method = file_of(files, "silo/v1/organization_mapping.proto").service[0].method[0]
        # The same option once more: its fields are merged, the last one counts.
        method.options.MergeFromString(b"\xa2\xd4\x18\x02\x48" + bytes([lifecycle]))
        status, text = check(tmp_path, files)
        assert (status == 0) == is_safe, text
        assert is_safe or "went from active to disabled at once" in text


def test_required_parameters_know_the_order_of_deployment(tmp_path):
    """Cells first, control last: a new required parameter is safe on control's services only."""
    for name, message, is_safe in [
        ("silo/v1/organization_mapping.proto", "OrganizationMappingServiceGetRequest", True),
        ("silo/repositories/v1/repositories.proto", "RepositoryDirectoryServiceGetRequest", False),
    ]:
        files = released()
        request = next(found for found in file_of(files, name).message_type if found.name == message)
        field = request.field.add(name="limit", number=99, type=5, label=1, proto3_optional=True, json_name="limit")
        field.options.MergeFromString(b"\xa8\xd4\x18\x01")
        status, text = check(tmp_path, files)
        assert (status == 0) == is_safe, text
        assert is_safe or f"{message}.limit: became required: cells are deployed first" in text


def test_the_table_in_silo_md_names_tests_that_exist():
    tests = {}
    for path in (CHECKOUT / "Tests").rglob("*.swift"):
        tests[path.stem] = tests.get(path.stem, "") + path.read_text()
    found = 0
    for row in (CHECKOUT / "docs/silo.md").read_text().splitlines():
        for suite, names in re.findall(r'`(\w+Tests)`((?:[^`"]*"[^"]+")*)', row if row.startswith("| ") else ""):
            assert suite in tests, f"{suite} is no suite: {row}"
            for name in re.findall(r'"([^"]+)"', names):
                found += 1
                assert name in tests[suite], f"{suite} has no test \"{name}\""
    assert found > 40
