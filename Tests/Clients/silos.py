"""One control silo and two cells as real processes, and what is needed to talk to them: plain HTTP and signatures."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import secrets
import signal
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

from gateway import BINARY, environment

CELLS = ["us1", "eu1"]
SCM = "/sentry.integrations.scm.v1.ScmService/"
MAPPING = "/silo.v1.OrganizationMappingService/"


def free_port() -> int:
    """A port below the range that the system takes for outgoing connections, one of which could be there first."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(20000, 32000)))
                return probe.getsockname()[1]
            except OSError:
                continue


def wait_until(condition, seconds: float = 60):
    """What the condition gives, once that is something."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


# An authority of this company's own, and a certificate for each silo. `stranger` is nobody's.
CERTIFICATES = r"""
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }
key ca; openssl req -x509 -key ca.key -subj "/CN=silos" -days 2 -out ca.pem
for name in control us1 eu1 stranger; do
    key $name; openssl req -new -key $name.key -subj "/CN=$name" -out $name.csr
    printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:%s.internal,DNS:localhost,IP:127.0.0.1\n' $name \
      > $name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -days 2 -extfile $name.ext -out $name.pem
done
"""


class Silo:
    """One process and the folder that it keeps its things in."""

    def __init__(self, name: str, folder: Path, config: Path, tls: Path | None = None):
        self.name = name
        self.folder = folder / name
        self.config = config
        self.port = free_port()
        self.admin_port = free_port()
        self.tls = tls
        self.options: list[str] = []
        self.process: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        if self.tls is None:
            return environment()
        return environment() | {
            "SCM_GATEWAY_TLS_CERTIFICATE": str(self.tls / f"{self.name}.pem"),
            "SCM_GATEWAY_TLS_KEY": str(self.tls / f"{self.name}.key"),
            "SCM_GATEWAY_TLS_CLIENT_CA": str(self.tls / "ca.pem"),
            "SCM_GATEWAY_TLS_CLIENT_CERTIFICATES": "optional",
        }

    @property
    def address(self) -> str:
        return "control" if self.name == "control" else f"cell:{self.name}"

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def flags(self) -> list[str]:
        mode = ["--mode", "control"] if self.name == "control" else ["--mode", "cell", "--cell", self.name]
        return [*mode, "--silo-config", str(self.config), "--data-folder", str(self.folder)]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """A command line of this silo."""
        command = [str(BINARY), *command, *self.flags]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=check, env=self.environment)

    def start(self):
        self.folder.mkdir(exist_ok=True)
        log = open(self.folder / "log", "a")
        command = [str(BINARY), "serve", "--port", str(self.port), "--admin-listen", f"127.0.0.1:{self.admin_port}"]
        command += [*self.options, *self.flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment)
        log.close()
        line = self.process.stdout.readline()
        assert line.startswith("ready "), (self.folder / "log").read_text()

    def kill(self, number: int = signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def pause(self):
        """Stops it, and waits until it stands: a busy machine lets some of its threads answer for a moment more."""
        self.process.send_signal(signal.SIGSTOP)
        states = Path(f"/proc/{self.process.pid}/task")
        # PID (NAME) STATE ...
        wait_until(lambda: all(
            (task / "stat").read_text().rsplit(") ", 1)[1][0] == "T" for task in states.iterdir()))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def reload(self):
        """Hangs up, and waits until the log says what has become of it."""
        words = ["read again", "cannot be used"]
        count = sum(self.log.count(word) for word in words)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sum(self.log.count(word) for word in words) > count)

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def connect(self, certificate: str | None = None) -> http.client.HTTPConnection:
        """- certificate: name of the one that the client presents, with TLS."""
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        context = ssl.create_default_context(cafile=self.tls / "ca.pem")
        if certificate:
            context.load_cert_chain(self.tls / f"{certificate}.pem", self.tls / f"{certificate}.key")
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

    def post(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST", certificate: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own. Thirty seconds mean that it hangs."""
        connection = self.connect(certificate)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def repositories(self, key: str) -> tuple[int, dict]:
        """ListRepositories of the key's organization."""
        headers = {"content-type": "application/json", "x-api-key": key}
        status, _, body = self.post(SCM + "ListRepositories", b"{}", headers)
        return status, json.loads(body)


class Silos:
    """Control, us1 and eu1."""

    def __init__(self, folder: Path, tls: bool = False, **config):
        self.folder = folder
        self.config = folder / "silos.json"
        self.scheme = "https" if tls else "http"
        self.settings = config
        if tls:
            subprocess.run(["bash", "-euc", CERTIFICATES], cwd=folder, check=True, capture_output=True)
        self.all = {
            name: Silo(name, folder, self.config, folder if tls else None) for name in ["control", *CELLS]
        }
        self.control = self.all["control"]
        self.ports = {name: silo.port for name, silo in self.all.items()}
        self.secrets: dict[str, str] = {}
        for cell in CELLS:
            for name in [f"control-{cell}", f"{cell}-control"]:
                self.make_key(name)
        self.write_config()

    def make_key(self, name: str):
        secret = secrets.token_urlsafe(48)
        file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, secret.encode() + b"\n")
        os.close(file)
        self.secrets[name] = secret

    def write_config(self, **more):
        keys = []
        for name in self.secrets:
            source, audience = ("control" if end == "control" else f"cell:{end}" for end in name.split("-")[:2])
            keys.append({"id": name, "source": source, "audience": audience, "secretFile": name})
        config = {
            "controlAddress": f"{self.scheme}://127.0.0.1:{self.control.port}",
            "fallbackCell": "us1",
            "cells": [
                {"name": cell, "snowflakeId": number, "address": f"{self.scheme}://127.0.0.1:{self.all[cell].port}"}
                for number, cell in enumerate(CELLS)
            ],
            "keys": keys,
            **self.settings,
            **more,
        }
        temporary = self.folder / "silos.json.new"
        temporary.write_text(json.dumps(config))
        temporary.rename(self.config)

    def start(self):
        for silo in self.all.values():
            silo.start()

    def stop(self):
        for silo in self.all.values():
            if silo.process and silo.process.poll() is None:
                silo.kill(signal.SIGTERM)

    def __enter__(self) -> "Silos":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def add_organization(self, slug: str, cell: str) -> tuple[int, str]:
        """Makes an organization that lives in a cell, with a key and a repository of its slug's name there."""
        organization = int(self.control.run("org", "add", slug, "--in", cell).stdout)
        key = self.control.run("key", "add", "--organization", str(organization)).stdout.strip()
        wait_until(lambda: slug in self.all[cell].run("org", "list").stdout)
        path = self.folder / f"{slug}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
        self.all[cell].run("repo", "add", str(path), "--organization", str(organization))
        return organization, key

    def sign(self, key: str, silo: Silo, path: str, body: bytes, fields: dict[str, str]) -> dict[str, str]:
        """The fields of a signed request: Silo1, from its description (docs/silo.md)."""
        moment = str(time.time_ns() // 1_000_000)
        nonce = secrets.token_bytes(16)
        names = sorted(fields)
        parts = [
            "Silo1", key, moment, nonce, "POST", f"127.0.0.1:{silo.port}", path, "application/proto", ";".join(names)
        ]
        for name in names:
            parts += ["1", fields[name]]
        parts.append(hashlib.sha256(body).digest())
        message = b""
        for part in parts:
            part = part.encode() if isinstance(part, str) else part
            message += struct.pack(">I", len(part)) + part
        code = hmac.digest(self.secrets[key].encode(), message, "sha256")
        text = lambda data: base64.b64encode(data).decode().rstrip("=")
        value = f"Silo1 kid={key},ts={moment},nonce={text(nonce)},sh={';'.join(names)},sig={text(code)}"
        return {**fields, "content-type": "application/proto", "authorization": value}
