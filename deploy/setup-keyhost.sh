#!/bin/sh
# Makes a key host for the packaged services: setup-keyhost.sh HOSTNAME…
#
# Run as root. Asks for the passphrase that seals the keys, makes /etc/chancery and /var/lib/chancery with the owners that the units expect, and
# seals the passphrase for the keeper's unit (to this machine's TPM where there is one).
set -eu
[ $# -gt 0 ] || { echo "usage: $0 HOSTNAME…    # the names and addresses under which clients reach this host" >&2; exit 2; }
dir=${CHANCERY_DIR:-/etc/chancery} state=${CHANCERY_STATE_DIR:-/var/lib/chancery}
owner() { if [ "$(id -u)" = 0 ]; then chown "$@"; else echo "not root: not done: chown $*" >&2; fi; }

if [ -z "${CHANCERY_PASSPHRASE_FILE:-}" ]; then
    # In memory, and gone also when this is interrupted.
    CHANCERY_PASSPHRASE_FILE=$(mktemp -p /run chancery-passphrase.XXXXXX)
    trap 'rm -f "$CHANCERY_PASSPHRASE_FILE"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    systemd-ask-password --timeout=0 "Passphrase that seals the keys (at least 8 characters):" >"$CHANCERY_PASSPHRASE_FILE"
fi
names=""
for name in "$@"; do names="$names --name $name"; done
# shellcheck disable=SC2086
chanceryd init "$dir" $names --passphrase-file "$CHANCERY_PASSPHRASE_FILE"

mkdir -p "$state"
sed -i "/^\[keeper\]/,/^\[/ s|^log = .*|log = \"$state/log\"|" "$dir/signer.toml"
# Root writes configuration and policy, the keeper has the keys and the log, and the gateway the TLS key. The CA's key is root's alone.
chmod 750 "$dir" "$dir/pki"
chmod 640 "$dir/signer.toml" "$dir/policy.toml" "$dir/pki/server.key"
owner -R root:chancery "$dir/signer.toml" "$dir/policy.toml" "$dir/pki" "$dir"
owner -R root:root "$dir/ca"
owner -R chancery-keeper:chancery-keeper "$dir/keys" "$state"

if command -v systemd-creds >/dev/null; then
    systemd-creds encrypt --name=passphrase "$CHANCERY_PASSPHRASE_FILE" "$dir/passphrase.cred"
else
    echo "systemd-creds is missing: seal the passphrase into $dir/passphrase.cred yourself" >&2
fi
cat <<NEXT
made a key host in $dir, with its log in $state
next: chanceryd key new NAME --for CONSTRUCTION --dir $dir, as the user chancery-keeper
      write grants into $dir/policy.toml, and enroll publishers (as root)
      systemctl enable --now chancery-keeper.socket chanceryd.service
NEXT
