"""Certificates of two authorities, made anew for each run."""

import subprocess
from pathlib import Path

SCRIPT = r"""
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }
authority() { key $1; openssl req -x509 -key $1.key -subj "/CN=$1" -days 2 -out $1.pem; }
issue() {
    key $1; openssl req -new -key $1.key -subj "/CN=$1" -out $1.csr
    printf 'basicConstraints=critical,CA:FALSE\n%b\n' "$3" > $1.ext
    openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -days 2 -extfile $1.ext -out $1.pem
}
authority servers; authority clients
issue server servers 'subjectAltName=DNS:localhost,IP:127.0.0.1'
issue renewed servers 'subjectAltName=DNS:localhost,IP:127.0.0.1'
issue other servers 'subjectAltName=DNS:*.other.test'
issue client clients 'extendedKeyUsage=clientAuth'
"""


def make_certificates(folder: Path) -> Path:
    """`NAME.pem` and `NAME.key` of server, renewed, other, client, and of their authorities servers and clients."""
    subprocess.run(["bash", "-euc", SCRIPT], cwd=folder, check=True, capture_output=True)
    return folder
