#!/usr/bin/env bash
# THE test command: installs what the tests need, builds, and runs all of them.
#
# Needs Rust and a C compiler. What else the tests use are tools that others wrote; on Debian they are installed here,
# with apt-get as root or through sudo. A missing tool fails its test, unless CHANCERY_SKIP names it (comma-separated).
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
skip=${CHANCERY_SKIP:-}
skipped() { case ",${skip// /,}," in *",$1,"*) return 0 ;; *) return 1 ;; esac; }

# shellcheck source=tests/tools.sh
. tests/tools.sh
need_tools

if ! skipped go; then
    echo "== the outside checker of the log (Go x/mod)"
    mkdir -p target/go
    (cd tests/go/check-log && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$PWD/../../../target/go/cache" GOFLAGS= \
        go build -o ../../../target/go/check-log .)
fi

echo "== building"
cargo build --workspace --bins --locked

echo "== tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast "$@"
else
    cargo test --workspace --locked --no-fail-fast "$@"
fi

if [ -n "$skip" ]; then
    echo "skipped, because CHANCERY_SKIP says so: $skip"
fi
echo "all tests passed"
