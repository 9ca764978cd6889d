#!/usr/bin/env bash
# Makes the Debian packages: deploy/debian/build.sh OUTDIR
#
# chancery-keyhost (chanceryd, chancery-keeper, chancery-backup, units), chancery (for publishers, with the relay's unit), chancery-audit. The
# programs are built in release, unless CHANCERY_BIN names a directory that has them; CHANCERY_DEB_COMPRESSION=none is for who has to wait for it. Two runs over one
# commit give the same bytes. Needs dpkg-deb, help2man and Python.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8 TZ=UTC
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
arch=$(dpkg --print-architecture)
if [ -z "${CHANCERY_BIN:-}" ]; then
    echo "== building the programs"
    cargo build --release --locked -p chanceryd -p chancery-keeper -p chancery-backup -p chancery -p chancery-audit
    CHANCERY_BIN=${CARGO_TARGET_DIR:-target}/release
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

put() { install -D -m "$1" "$2" "$3"; }

# manual PACKAGE PROGRAM WORDS…: a page for the program, or for one of its commands, and then for the commands below it.
manual() {
    local root=$stage/$1 program=$2 page words
    shift 2
    words="$program${*:+ $*}"
    page=${words// /-}
    mkdir -p "$root/usr/share/man/man1"
    PATH=$CHANCERY_BIN:$PATH help2man --no-info --no-discard-stderr --version-string="$version" --source="Chancery $version" --section=1 \
        --name="$(PATH=$CHANCERY_BIN:$PATH $words --help | head -1)" "$words" | gzip -9n >"$root/usr/share/man/man1/$page.1.gz"
    # One deep is where people look first; what is below stands in those pages.
    [ $# -gt 0 ] || for command in $("$CHANCERY_BIN/$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
        [ "$command" = help ] || manual "$(basename "$root")" "$program" "$command"
    done
}

completions() {
    local root=$stage/$1 program=$2
    mkdir -p "$root"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
    "$CHANCERY_BIN/$program" completions bash >"$root/usr/share/bash-completion/completions/$program"
    "$CHANCERY_BIN/$program" completions zsh >"$root/usr/share/zsh/vendor-completions/_$program"
    "$CHANCERY_BIN/$program" completions fish >"$root/usr/share/fish/vendor_completions.d/$program.fish"
}

# package NAME DEPENDS: control files, documents, and the archive, out of what stands in its directory.
package() {
    local name=$1 root=$stage/$1 doc=$stage/$1/usr/share/doc/$1 file
    mkdir -p "$root/DEBIAN" "$doc"
    put 644 LICENSE "$doc/copyright"
    gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
    printf 'chancery (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- Chancery maintainers <maintainers@chancery.invalid>  %s\n' \
        "$version" "$(date -uRd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.Debian.gz"
    python3 deploy/debian/sbom.py "$name" >"$doc/sbom.cdx.json"
    sed -e "s/@NAME@/$name/; s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$(du -sk --apparent-size "$root/usr" | cut -f1)/" \
        "deploy/debian/$name.control" >"$root/DEBIAN/control"
    for file in postinst prerm postrm; do
        [ ! -f "deploy/debian/$name.$file" ] || put 755 "deploy/debian/$name.$file" "$root/DEBIAN/$file"
    done
    if [ -d "$root/etc" ]; then (cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"; fi
    (cd "$root" && find usr etc -type f -exec md5sum {} + 2>/dev/null | sort -k 2) >"$root/DEBIAN/md5sums"
    find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Z"${CHANCERY_DEB_COMPRESSION:-xz}" --build "$root" "$out/${name}_${version}_$arch.deb"
}

for program in chanceryd chancery-{keeper,backup}; do put 755 "$CHANCERY_BIN/$program" "$stage/chancery-keyhost/usr/bin/$program"; done
put 755 "$CHANCERY_BIN/chancery" "$stage/chancery/usr/bin/chancery"
for drop_in in chancery-ssh-keygen chancery-gpg; do ln -s chancery "$stage/chancery/usr/bin/$drop_in"; done
put 755 "$CHANCERY_BIN/chancery-audit" "$stage/chancery-audit/usr/bin/chancery-audit"

for unit in chanceryd.service chanceryd.socket chancery-keeper.socket chancery-keeper@.service chancery-log-{scrub,retention}.{service,timer}; do
    put 644 "deploy/systemd/$unit" "$stage/chancery-keyhost/usr/lib/systemd/system/$unit"
done
put 644 deploy/systemd/chancery-relay.service "$stage/chancery/usr/lib/systemd/system/chancery-relay.service"
for unit in chancery-audit-verify.{service,timer} chancery-audit-console.service; do
    put 644 "deploy/systemd/$unit" "$stage/chancery-audit/usr/lib/systemd/system/$unit"
done
for name in keyhost audit; do
    put 644 "deploy/sysusers.d/chancery-$name.conf" "$stage/chancery-$name/usr/lib/sysusers.d/chancery-$name.conf"
    put 644 "deploy/tmpfiles.d/chancery-$name.conf" "$stage/chancery-$name/usr/lib/tmpfiles.d/chancery-$name.conf"
done
put 644 deploy/config/retention.env "$stage/chancery-keyhost/etc/chancery/retention.env"
put 644 deploy/config/relay.env "$stage/chancery/etc/chancery/relay.env"
put 644 deploy/config/audit.env "$stage/chancery-audit/etc/chancery/audit.env"
put 755 deploy/setup-keyhost.sh "$stage/chancery-keyhost/usr/share/chancery/setup-keyhost.sh"
for rules in deploy/nftables/*.nft; do put 644 "$rules" "$stage/chancery-keyhost/usr/share/doc/chancery-keyhost/nftables/$(basename "$rules")"; done
for document in operations auditing publisher; do
    case $document in operations) name=chancery-keyhost ;; auditing) name=chancery-audit ;; *) name=chancery ;; esac
    put 644 "docs/$document.md" "$stage/$name/usr/share/doc/$name/$document.md"
done

echo "== manual pages and completions"
manual chancery-keyhost chanceryd
manual chancery-keyhost chancery-keeper
manual chancery-keyhost chancery-backup
manual chancery chancery
manual chancery-audit chancery-audit
completions chancery-keyhost chanceryd
completions chancery chancery
completions chancery-audit chancery-audit

echo "== packages"
for name in chancery-keyhost chancery chancery-audit; do package "$name"; done
