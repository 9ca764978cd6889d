#!/usr/bin/env bash
# THE test command: installs what the tests need, builds, and runs all of them. Arguments go to the test runner.
#
# Needs Rust. What else the tests use are tools that others wrote; on Debian they are installed here, with apt-get as root or through sudo.
# A tool that is missing fails its tests, unless CHANCERY_SKIP names it; see tests/tools.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
begun=$SECONDS

# shellcheck source=tests/tools.sh
. tests/tools.sh
need_tools cc ostree ssh-keygen openssl go glib minisign signify coreutils gpg sq git flatpak python-tuf npm chromium prometheus-client jsonschema ip nft age softhsm2-util faketime strace loop help2man debootstrap dpkg-deb systemd-analyze systemd-sysusers systemd-tmpfiles systemd-socket-activate python3 setpriv
# A full and a read-only disk can be shown only where one may be mounted; the end of the run says so where not.
skipped tmpfs || can_mount || export CHANCERY_SKIP="${CHANCERY_SKIP:+$CHANCERY_SKIP,}tmpfs"
skipped loop || can_loop || export CHANCERY_SKIP="${CHANCERY_SKIP:+$CHANCERY_SKIP,}loop"
skipped boot || can_boot || export CHANCERY_SKIP="${CHANCERY_SKIP:+$CHANCERY_SKIP,}boot"
skipped netns || can_wire || export CHANCERY_SKIP="${CHANCERY_SKIP:+$CHANCERY_SKIP,}netns"
skipped tun || [ -w /dev/net/tun ] || export CHANCERY_SKIP="${CHANCERY_SKIP:+$CHANCERY_SKIP,}tun"

if ! skipped go; then
    echo "== building the outside checker of logs (Go x/mod)"
    out=$PWD/target/go
    mkdir -p "$out"
    (cd tests/go/check-log && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$out/cache" GOFLAGS='' go build -o "$out/check-log" .)
fi

echo "== building the programs"
cargo build --workspace --bins --locked

echo "== tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast "$@"
    # nextest leaves out the examples in the documentation.
    [ $# -gt 0 ] || cargo test --workspace --locked --doc --quiet
else
    cargo test --workspace --locked --no-fail-fast "$@"
fi

[ -z "${CHANCERY_SKIP:-}" ] || echo "NOT tested, for want of it here or because CHANCERY_SKIP names it: $CHANCERY_SKIP"
echo "all tests passed in $((SECONDS - begun)) s"
