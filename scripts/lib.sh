# Shared by the scripts next to it; sourced, not run. Bash, `set -euo pipefail` is on.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this file use its variables

# Root of the checkout.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# What `swift build` needs on Debian.
build_packages=(git ca-certificates pkg-config libnghttp2-dev libssl-dev libsqlite3-dev zlib1g-dev
    libzstd-dev)

# What the tests need besides: protoc and the well-known .proto files, Python with venv, curl, openssl, sshd, a browser and
# a font for it, and what makes and checks the tutorial's Go and TypeScript.
test_packages=(protobuf-compiler libprotobuf-dev python3 python3-venv curl openssl openssh-client openssh-server chromium
    fonts-dejavu-core golang-go golang-google-grpc-dev golang-google-genproto-dev protoc-gen-go protoc-gen-go-grpc
    node-typescript)

# Oldest Swift that builds the package.
swift_minimum="6.2"

# say TEXT...: a progress line.
say() { printf '==> %s\n' "$*"; }

# fail TEXT...: an error line, then the end.
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# as_root COMMAND...: runs it as root, through sudo when this is another user.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this step needs root, and there is no sudo; as root run: $*"
    fi
}

# package_installed NAME
package_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages NAME...: installs with apt-get what is missing, and nothing when nothing is.
install_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "this is not Debian or Ubuntu: make sure that the counterparts of these packages are installed: $*"
        return
    fi
    local missing=() name
    for name in "$@"; do
        package_installed "$name" || missing+=("$name")
    done
    if [ "${#missing[@]}" -eq 0 ]; then
        say "system packages: all installed"
        return
    fi
    say "system packages: installing ${missing[*]}"
    case " ${missing[*]} " in *" openssh-server "*) keep_sshd_off ;; esac
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update --quiet=2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
}

# keep_sshd_off: Debian starts a server when its package is installed, and at each boot. The tests start one of their own,
# on loopback; nobody asked for one on port 22.
keep_sshd_off() {
    [ -d /run/systemd/system ] || return 0
    say "ssh.service is masked: only tests use sshd here (to use it: systemctl unmask ssh.service ssh.socket)"
    as_root systemctl mask --quiet ssh.service ssh.socket
}

# require_swift: ends with an explanation unless Swift is there and new enough.
require_swift() {
    command -v swift >/dev/null || fail "swift is not installed; get Swift 6.3 from https://www.swift.org/install/"
    local version
    version="$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)"
    [ -n "$version" ] || fail "\`swift --version\` does not tell a version; get Swift 6.3 from https://www.swift.org/install/"
    if [ "$(printf '%s\n' "$swift_minimum" "$version" | sort --version-sort | head -n 1)" != "$swift_minimum" ]; then
        fail "Swift $version is too old, $swift_minimum or newer is needed; get Swift 6.3 from https://www.swift.org/install/"
    fi
    say "Swift $version"
}
