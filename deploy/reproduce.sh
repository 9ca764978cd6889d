#!/usr/bin/env bash
# Builds the programs twice, in two directories, and compares them: deploy/reproduce.sh [PROFILE [PACKAGE…]]
#
# Without arguments: all four, in release. The paths of the build are mapped away, so that anybody who has the same toolchain (rust-toolchain.toml)
# and C compiler gets the same bytes. Takes as long as two builds.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-release}
shift || true
packages=("${@:-chanceryd}")
[ $# -gt 0 ] || packages=(chanceryd chancery-keeper chancery-backup chancery chancery-audit)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for copy in one two; do
    git archive --prefix="$copy/" HEAD | tar -x -C "$work"
    home=${CARGO_HOME:-$HOME/.cargo}
    (cd "$work/$copy" && CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$work/$copy-target" SOURCE_DATE_EPOCH=0 \
        RUSTFLAGS="--remap-path-prefix=$work/$copy=/chancery --remap-path-prefix=$work/$copy-target=/target --remap-path-prefix=$home=/cargo" \
        CFLAGS="-ffile-prefix-map=$work/$copy-target=/target -ffile-prefix-map=$home=/cargo" \
        cargo build --locked --profile "$profile" --bins $(printf -- '-p %s ' "${packages[@]}"))
done
folder=$profile
[ "$profile" != dev ] || folder=debug
failed=0
for program in "$work/one-target/$folder"/*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    name=$(basename "$program")
    if cmp -s "$program" "$work/two-target/$folder/$name"; then
        echo "$(sha256sum <"$program" | cut -d' ' -f1)  $name"
    else
        echo "differs from one build to the next: $name" >&2
        failed=1
    fi
done
exit $failed
