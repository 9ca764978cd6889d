# Tools that tests and the demonstration use, and the Debian packages that have them. Sourced, not run.
#
# CHANCERY_SKIP names tools to do without, separated by commas: ostree, ssh-keygen, openssl, go, glib, minisign, signify, coreutils, gpg, sq, git, flatpak, python-tuf, npm, chromium,
# prometheus-client, jsonschema, ip, nft, age, softhsm2-util, faketime, strace, loop, help2man, debootstrap, dpkg-deb,
# systemd-analyze, systemd-sysusers, systemd-tmpfiles, systemd-socket-activate.
# `python3` and `setpriv` skip the test that attacks the running processes; root needs setpriv for it, to be somebody else.
# `tmpfs` skips the tests that mount file systems (in a name space of their own, which takes root or unprivileged user name spaces).
# `boot` skips the test that starts a small Debian with systemd as its first process, which takes root, debootstrap and cgroups of version 2.
# `netns` skips the tests that lay a cable between two network name spaces, which takes the same; `tun` the one whose cable is a bad one, which
# takes /dev/net/tun too.

# name : what shows that it is there : packages
TOOLS="
cc:cc:gcc libc6-dev
ostree:ostree:ostree
ssh-keygen:ssh-keygen:openssh-client
openssl:openssl:openssl
minisign:minisign:minisign
gpg:gpg:gnupg
sq:sq:sq
git:git:git
flatpak:flatpak:flatpak
python-tuf:/usr/share/doc/python3-venv:python3-venv
npm:npm:nodejs npm
ip:ip:iproute2
nft:nft:nftables
chromium:chromedriver:chromium chromium-driver
age:age:age
softhsm2-util:softhsm2-util:softhsm2
faketime:faketime:faketime
strace:strace:strace
loop:/usr/sbin/mkfs.ext4:e2fsprogs
help2man:help2man:help2man
debootstrap:/usr/sbin/debootstrap:debootstrap
dpkg-deb:dpkg-deb:dpkg
signify:signify-openbsd:signify-openbsd
coreutils:sha256sum:coreutils
python3:/usr/bin/python3:python3-minimal libpython3-stdlib
setpriv:setpriv:util-linux
prometheus-client:/usr/lib/python3/dist-packages/prometheus_client:python3-prometheus-client
jsonschema:/usr/lib/python3/dist-packages/jsonschema:python3-jsonschema
systemd-analyze:systemd-analyze:systemd
systemd-sysusers:systemd-sysusers:systemd
systemd-tmpfiles:systemd-tmpfiles:systemd
systemd-socket-activate:systemd-socket-activate:systemd
go:go:golang-go
go:/usr/share/gocode/src/golang.org/x/mod:golang-golang-x-mod-dev
glib:/usr/lib/python3/dist-packages/gi:python3-gi gir1.2-glib-2.0
"

skipped() { case ",$(printf %s "${CHANCERY_SKIP:-}" | tr ' ' ,)," in *",$1,"*) return 0 ;; *) return 1 ;; esac; }

is_there() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null 2>&1 ;; esac; }

# need_tools NAME…: installs what is missing of these.
need_tools() {
    local missing="" name sign packages
    while IFS=: read -r name sign packages; do
        case " $* " in *" $name "*) ;; *) continue ;; esac
        skipped "$name" || is_there "$sign" || missing="$missing $packages"
    done <<<"$TOOLS"
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_packages $missing
}

# Whether file systems can be mounted here in a name space of their own; in most containers they cannot.
can_mount() {
    local as_root=--map-root-user
    [ "$(id -u)" != 0 ] || as_root=""
    # shellcheck disable=SC2086
    unshare --mount $as_root true 2>/dev/null
}

# Whether root has loop devices here, for disks that fail.
can_loop() { [ "$(id -u)" = 0 ] && can_mount && losetup -f >/dev/null 2>&1; }

# Whether systemd can be the first process of a machine in name spaces.
can_boot() { "$(dirname "${BASH_SOURCE[0]}")/machine.sh" probe >/dev/null 2>&1; }

# Whether networks can be made here, with a firewall.
can_wire() {
    local as_root=--map-root-user
    [ "$(id -u)" != 0 ] || as_root=""
    # shellcheck disable=SC2086
    unshare --net $as_root sh -c 'ip link add name one type veth peer name other && nft add table inet a' 2>/dev/null
}

# install_packages PACKAGE…: says what it installs, and fails where it cannot.
install_packages() {
    local as_root=""
    if ! is_there apt-get; then
        echo "these tools are needed; on Debian they are in the packages: $*" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        is_there sudo || { echo "these Debian packages are needed, and there is neither root nor sudo to install them: $*" >&2; return 1; }
        as_root="sudo"
    fi
    echo "== installing: $*"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
