"""Servers of git repositories, as remotes of mirrors: `git http-backend` over HTTP and TLS, and OpenSSH's sshd."""

import contextlib
import getpass
import os
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateway import wait_until

AUTHORIZATION = "Basic YWRhOm9wZW4gc2VzYW1l"


class GitHandler(BaseHTTPRequestHandler):
    """CGI for `git http-backend`; below /redirect/ it redirects, below /secret/ it wants `AUTHORIZATION`."""

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.body())

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, body: bytes):
        path, _, query = self.path.partition("?")
        self.server.requests.append(path)
        self.server.authorizations.append(self.headers.get("authorization"))
        if path.startswith("/redirect/"):
            return self.refuse(302, ("location", self.server.elsewhere + self.path.removeprefix("/redirect")))
        if path.startswith("/secret/"):
            if self.headers.get("authorization") != AUTHORIZATION:
                return self.refuse(401, ("www-authenticate", 'Basic realm="x"'))
            path = path.removeprefix("/secret")
        variables = os.environ | {
            "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "REQUEST_METHOD": self.command, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("content-type", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
        }
        command = ["git", "http-backend"]
        output = subprocess.run(command, input=body, env=variables, capture_output=True, timeout=60).stdout
        head, _, rest = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def refuse(self, status: int, field: tuple[str, str]):
        self.send_response(status)
        self.send_header(*field)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def git_over_http(root: Path, certificate: Path | None = None):
    """Serves the repositories below a folder; over TLS with a certificate, whose key is beside it.

    The server has its `url`, the `requests` and `authorizations` that came, and where `/redirect/` leads (`elsewhere`).
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHandler)
    server.root, server.requests, server.authorizations, server.elsewhere = root, [], [], ""
    server.handle_error = lambda *_: None
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = server.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class SSHServer:
    """sshd on a port of this machine, with a host key and a client key of its own; the user is who runs the tests."""

    def __init__(self, folder: Path, private: Path):
        """`private` is for the files of clients; its name may be any."""
        folder.mkdir()
        private.mkdir()
        self.folder, self.private, self.log = folder, private, folder / "sshd.log"
        self.host_key, self.client_key = self.make_key(folder / "host"), self.make_key(private / "client")
        (folder / "authorized_keys").write_text(self.client_key.with_suffix(".pub").read_text())
        if os.getuid() == 0:
            # Where Debian's sshd separates its privileges; a service makes it that does not run here.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start(self.host_key)

    @staticmethod
    def make_key(path: Path) -> Path:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def start(self, host_key: Path):
        settings = {
            "ListenAddress": "127.0.0.1", "Port": self.port, "HostKey": host_key, "PidFile": "none", "UsePAM": "no",
            "AuthorizedKeysFile": self.folder / "authorized_keys", "StrictModes": "no", "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no", "PermitRootLogin": "prohibit-password", "LogLevel": "VERBOSE",
        }
        configuration = self.folder / "sshd_config"
        configuration.write_text("".join(f'{name} "{value}"\n' for name, value in settings.items()))
        # sshd starts itself again for each connection, by its absolute path.
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", configuration, "-E", self.log])
        assert wait_until(lambda: self.process.poll() is not None or self.is_listening(), 30)
        assert self.process.poll() is None, self.log.read_text()

    def is_listening(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def known_host(self, key: Path) -> str:
        """As `ssh-keyscan -p PORT` prints it."""
        return f"[127.0.0.1]:{self.port} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
