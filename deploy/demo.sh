#!/usr/bin/env bash
# THE demonstration: a key host, a real OSTree repository and a publisher on this machine; signs, and lets tools that others wrote
# check the result. Everything lives in a temporary directory that is removed at the end. With CHANCERY_BIN, programs that are built
# already are taken from that directory.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tools.sh
. tests/tools.sh
need_tools cc ostree ssh-keygen openssl glib

bold="" plain=""
[ ! -t 1 ] || { bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); }
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '  $ %s\n' "$*"; }
# indent [LINES]: these lines of the input, all without an argument, two columns to the right
indent() { sed -n "${1:-1,\$}s/^/  /p"; }

bin=${CHANCERY_BIN:-}
if [ -z "$bin" ]; then
    echo "Building (the first time takes some minutes)" >&2
    cargo build --workspace --bins --locked
    bin=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)
fi
tools=$PWD/tests/tools

work=$(mktemp -d)
host_pid=""
finish() {
    [ -z "$host_pid" ] || { kill "$host_pid" 2>/dev/null && wait "$host_pid" 2>/dev/null; } || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
begun=$(date +%s%N)

step "1. The isolated side: a key host with two keys, each made for one kind of signature, for good"
(umask 077 && head -c 24 /dev/urandom | base64 >passphrase)
"$bin/chanceryd" init keyhost --name localhost --name 127.0.0.1 --listen 127.0.0.1:0 --passphrase-file passphrase >/dev/null
show chanceryd key new release --for ostree-summary,ostree-commit
"$bin/chanceryd" key new release --for ostree-summary,ostree-commit --dir keyhost --passphrase-file passphrase | indent 1,2
show chanceryd key new tarballs --for sshsig
"$bin/chanceryd" key new tarballs --for sshsig --dir keyhost --passphrase-file passphrase | indent 1,2

step "2. The public side: a publisher. Its TLS key never leaves it; the key host signs its certificate and grants it little"
mkdir publisher
"$bin/chancery" enroll-request web1 --out publisher >/dev/null
cat >keyhost/policy.toml <<'POLICY'
[[grant]]
principal     = "spiffe://localhost/publisher/web1"
key           = "release"
constructions = ["ostree-summary", "ostree-commit"]
subject       = "demo"
refs          = ["os/x86_64/stable"]

[[grant]]
principal     = "spiffe://localhost/publisher/web1"
key           = "tarballs"
constructions = ["sshsig"]
subject       = "tool-*"
namespaces    = ["file"]
POLICY
grep . keyhost/policy.toml | indent
"$bin/chanceryd" policy check --dir keyhost | indent 1
mkfifo ready
"$bin/chanceryd" serve --dir keyhost --passphrase-file passphrase >ready 2>keyhost.log &
host_pid=$!
read -r line <ready || { cat keyhost.log >&2; exit 1; }
echo "  $line"
sed -i "s|^endpoints = .*|endpoints = [\"https://${line##* }\"]|" keyhost/signer.toml
"$bin/chanceryd" enroll web1 --role publisher --csr publisher/web1.csr --out publisher/web1.toml --dir keyhost >/dev/null
unset CHANCERY_DIR CHANCERY_STATE
export CHANCERY_PROFILE=$work/publisher/web1.toml

step "3. A real OSTree repository on the public side, with a commit and a summary"
mkdir tree && echo "hello" >tree/file
ostree --repo=repo init --mode=archive
ostree --repo=repo commit -b os/x86_64/stable --tree=dir=tree -s "first" >/dev/null
ostree --repo=repo summary -u
ostree --repo=repo refs | indent

echo "a release" >tool-1.0.tar.gz

step "4. Signed: the key host reads what it is asked for, decides, records, and only then signs"
show chancery ostree sign-commit repo os/x86_64/stable --key release --subject demo
"$bin/chancery" ostree sign-commit repo os/x86_64/stable --key release --subject demo | indent
show chancery ostree sign-summary repo --key release --subject demo --receipt summary.tlog-proof
"$bin/chancery" ostree sign-summary repo --key release --subject demo --receipt summary.tlog-proof | indent

show chancery sign tool-1.0.tar.gz --key tarballs --as sshsig
"$bin/chancery" sign tool-1.0.tar.gz --key tarballs --as sshsig | indent

step "5. Tools that nobody here wrote accept the signatures, and refuse them when a byte was changed"
"$bin/chanceryd" key export release --format pem --dir keyhost >release.pem
/usr/bin/python3 "$tools/ostree_signatures.py" repo/summary.sig signature | sed 's/^/  GLib reads summary.sig: /'
openssl pkeyutl -verify -pubin -inkey release.pem -rawin -in repo/summary -sigfile signature-0 | sed 's/^/  OpenSSL: /'
ostree --repo=repo fsck --quiet >/dev/null 2>&1 && echo "  ostree fsck: no errors"
echo "web1@demo $("$bin/chanceryd" key export tarballs --format ssh --dir keyhost)" >signers
verify_file() { ssh-keygen -Y verify -f signers -I web1@demo -n file -s tool-1.0.tar.gz.sig 2>&1; }
verify_file <tool-1.0.tar.gz | sed 's/^/  ssh-keygen: /'
head -c 100 repo/summary >tampered && printf '\xff' >>tampered && tail -c +102 repo/summary >>tampered
if openssl pkeyutl -verify -pubin -inkey release.pem -rawin -in tampered -sigfile signature-0 >/dev/null 2>&1; then
    echo "a changed summary was accepted" >&2
    exit 1
fi
if echo "another release" | verify_file >/dev/null; then
    echo "a changed file was accepted" >&2
    exit 1
fi
echo "  changed: OpenSSL refuses the summary, ssh-keygen refuses the file"

step "6. Refused: a hacked publisher adds a ref that its grant does not cover"
ostree --repo=repo commit -b os/x86_64/evil --tree=dir=tree -s "not granted" >/dev/null
cp repo/summary.sig before.sig
ostree --repo=repo summary -u 2>/dev/null
cp before.sig repo/summary.sig
if "$bin/chancery" ostree sign-summary repo --key release --subject demo 2>refused; then
    echo "the key host signed a ref that was not granted" >&2
    exit 1
fi
indent <refused

step "7. The record: static files and one key are all that an auditor needs"
kill "$host_pid"
wait "$host_pid"
host_pid=""
vkey=$("$bin/chanceryd" log vkey --dir keyhost)
show chancery-audit verify keyhost/log/public --vkey "$vkey"
"$bin/chancery-audit" verify keyhost/log/public --vkey "$vkey" | indent
"$bin/chancery-audit" show keyhost/log/public --vkey "$vkey" | indent

took=$((($(date +%s%N) - begun) / 1000000))
cd /
finish
trap - EXIT
printf '\nDone in %d ms. Nothing of it is left on this machine.\n' "$took"
