"""No method gives one organization anything of another: random requests, for all methods of the descriptor, that name
the other's ids, names, paths, commits and page tokens. Failures name the seed's step."""

import random
import subprocess
import uuid

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor as Field
from grpc import StatusCode as Code

from clients import CallFailed, GrpcioClient
from fixture_repository import git, make_small_repository
from gateway import Gateway, row

SECRET = "secret of "
"""Part of everything that an organization stores, and of nothing that the other one says."""

VICTIM = "victim"
REQUESTS_PER_METHOD = 40


class Tenant:
    """An organization with something in every table."""

    def __init__(self, gateway: Gateway, scm, folder, name: str, organization: int | None = None):
        data = ["--data-folder", gateway.data_folder]
        self.organization = organization or int(row("org", "add", name, *data)["id"])
        key = row("key", "add", "--organization", str(self.organization), *data)["key"]
        self.client = GrpcioClient(gateway.url, key, scm)
        self.path = make_small_repository(folder / f"{name}.git", name)
        tree = git(self.path, "rev-parse", "HEAD^{tree}").decode().strip()
        owners = git(
            self.path, "hash-object", "-w", "--stdin", stdin=f"* @{name} # {SECRET}{name}\n".encode()
        ).decode().strip()
        code = git(self.path, "hash-object", "-w", "--stdin", stdin=f"line, {SECRET}{name}\n".encode()).decode().strip()
        added = f"100644 blob {owners}\tCODEOWNERS\n100644 blob {code}\t{name}.py\n".encode()
        entries = git(self.path, "ls-tree", tree) + added
        tree = git(self.path, "mktree", stdin=entries).decode().strip()
        identity = ["-c", f"user.name={name}", "-c", f"user.email=x@{name}.example.org"]
        self.sha = git(
            self.path, *identity, "commit-tree", tree, "-m", f"commit, {SECRET}{name}", "-p", "HEAD"
        ).decode().strip()
        git(self.path, "update-ref", "HEAD", self.sha)
        git(self.path, "tag", f"tag-{name}", self.sha)
        arguments = ["--organization", str(self.organization), "--name", name, *data]
        self.repository = int(row("repo", "add", self.path, *arguments)["id"])
        self.fill(scm, name)

    def fill(self, scm, name):
        call = self.client.unary
        mapping = call("CreateCodeMapping", scm.CreateCodeMappingRequest(
            project_id=77, repository_id=self.repository, stack_root=f"{name}/", default_branch="main"))
        owners = call(
            "ImportCodeOwners",
            scm.ImportCodeOwnersRequest(code_mapping_id=mapping.id, raw=f"* @{name} # {SECRET}{name}\n")
        )
        issues = [
            call("CreateExternalIssue", scm.CreateExternalIssueRequest(
                group_id=5, project=name, title=f"issue, {SECRET}{name}", description=SECRET + name))
            for _ in range(2)
        ]
        states = scm.IssueStatusMapping(project=SECRET + name, resolved_status="closed", unresolved_status="open")
        settings = scm.IssueSettings(status_mappings=[states])
        call("UpdateIssueSettings", scm.UpdateIssueSettingsRequest(
            issue_settings=settings, update_mask={"paths": ["status_mappings"]}))
        comment = call(
            "CreateIssueComment", scm.CreateIssueCommentRequest(external_issue_id=issues[0].id, body=SECRET + name)
        )
        check = call("CreateStatusCheck", scm.CreateStatusCheckRequest(status_check=scm.StatusCheck(
            repository_id=self.repository, sha=self.sha, name=name, title=SECRET + name,
            status=scm.CHECK_STATUS_PENDING)))
        self.numbers = [self.organization, self.repository, mapping.id, *(issue.id for issue in issues), 5, 77]
        for identifier in (owners.id, comment.id, check.id):
            self.numbers += [int(identifier)] if str(identifier).isdigit() else []
        pages = [
            call("ListExternalIssues", scm.ListExternalIssuesRequest(page_size=1)).next_page_token,
            call("ListCommits", scm.ListCommitsRequest(repository_id=self.repository, page_size=1)).next_page_token,
            call("SearchCode", scm.SearchCodeRequest(query="e", page_size=1)).next_page_token,
        ]
        self.texts = [
            name, self.sha, self.sha[:10], str(self.path), self.path.as_uri(), f"{name}.py", f"{name}/x.py",
            f"tag-{name}",
            "main", "HEAD", "CODEOWNERS", issues[0].key, str(comment.id), str(check.id), "e", *filter(None, pages),
        ]

    def everything(self, scm) -> list:
        """What the organization sees of itself."""
        call = self.client.unary
        state = [
            call("ListRepositories", scm.ListRepositoriesRequest()),
            call("ListCodeMappings", scm.ListCodeMappingsRequest()),
            call("ListCodeOwners", scm.ListCodeOwnersRequest()),
            call("ListExternalIssues", scm.ListExternalIssuesRequest()),
            call("ListStatusChecks", scm.ListStatusChecksRequest(repository_id=self.repository, sha=self.sha)),
            call("GetIssueSettings", scm.GetIssueSettingsRequest()),
        ]
        state += [
            call(
                "ListIssueComments", scm.ListIssueCommentsRequest(external_issue_id=issue.id)
            ) for issue in state[3].external_issues
        ]
        return [answer.SerializeToString(deterministic=True) for answer in state]


class Dice:
    """Random requests that name mostly what belongs to `victim`, sometimes one's own."""

    def __init__(self, seed: int, victim: Tenant, own: Tenant):
        self.dice, self.victim, self.own = random.Random(seed), victim, own

    def fill(self, message, depth=0):
        for field in message.DESCRIPTOR.fields:
            # An organization of one's own, or none, gets further than the other's.
            chance = 0.3 if field.name == "organization_id" else 0.75
            if field.name == "request_id":
                setattr(message, field.name, str(uuid.UUID(int=self.dice.getrandbits(128))))
            elif field.name not in ("validate_only", "dry_run") and self.dice.random() < chance:
                self.set(message, field, depth)
        return message

    def set(self, message, field, depth):
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED
        if field.message_type and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)[self.text()] = self.text()
        elif field.type == Field.TYPE_MESSAGE:
            if depth < 3:
                target = getattr(message, field.name)
                target = target.add() if repeated else target
                target.SetInParent()
                if field.message_type.name == "FieldMask":
                    names = ["name", "status", "config", "title", "stack_root", "repository_id", "sync_comments"]
                    target.paths.append(self.dice.choice(names))
                else:
                    self.fill(target, depth + 1)
        elif repeated:
            getattr(message, field.name).extend(self.value(field) for _ in range(self.dice.randint(1, 3)))
        else:
            setattr(message, field.name, self.value(field))

    def value(self, field):
        if field.type == Field.TYPE_STRING:
            return self.text()
        if field.type == Field.TYPE_BYTES:
            return self.text().encode()
        if field.type == Field.TYPE_BOOL:
            return self.dice.random() < 0.5
        if field.type == Field.TYPE_ENUM:
            return self.dice.choice(field.enum_type.values).number
        if field.type in (Field.TYPE_INT64, Field.TYPE_UINT64):
            return self.dice.choice(self.tenant().numbers)
        return self.dice.choice([0, 1, 1, 2, 100])

    def text(self) -> str:
        return self.dice.choice(self.tenant().texts)

    def tenant(self) -> Tenant:
        return self.victim if self.dice.random() < 0.8 else self.own


def answers(client, method, request) -> list:
    """All answers, or the error with its details, as text that may be searched."""
    try:
        return [
            json_format.MessageToJson(answer, ensure_ascii=False) for answer in client.stream(method, request,
            timeout=60)
        ]
    except CallFailed as failed:
        assert failed.code not in (Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE), f"{method}: {failed}\n{request}"
        return [f"{failed.message} {failed.status}"]


@pytest.mark.parametrize("seed", [1])
def test_no_method_tells_or_changes_anything_of_another_organization(tmp_path, scm, seed):
    gateway = Gateway(make_small_repository(tmp_path / "own.git", "own"), tmp_path / "data")
    try:
        victim = Tenant(gateway, scm, tmp_path, VICTIM)
        own = Tenant(gateway, scm, tmp_path, "attacker", gateway.organization_id)
        before = victim.everything(scm)
        dice = Dice(seed, victim, own)
        for method in own.client.methods.values():
            for step in range(REQUESTS_PER_METHOD):
                request = dice.fill(method.request())
                for text in answers(own.client, method.name, request):
                    assert SECRET + VICTIM not in text, f"{method.name}, step {step}: {text}\n{request}"
            assert victim.everything(scm) == before, method.name
        own.client.close()
        victim.client.close()
    finally:
        code = gateway.stop()
    assert code == 0, gateway.read_log()
    subprocess.run(["git", "-C", victim.path, "fsck", "--strict"], check=True)
