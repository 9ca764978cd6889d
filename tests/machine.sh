#!/usr/bin/env bash
# A small Debian whose first process is systemd, in name spaces of its own. Needs root, overlayfs and the unified hierarchy of control groups.
#
#   machine.sh probe          whether it can be had here
#   machine.sh base DIR       makes what all machines share, unless it is there: Debian's base with systemd, D-Bus and OpenSSH
#   machine.sh run DIR SHARE  starts one. What is in SHARE is in its /share; it tells SHARE/ready when it is up, and is gone when standard
#                             input ends, whoever ended it. Nothing that it wrote is left.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

groups() { awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo; }

# Becomes a command that belongs to the machine's control group and has name spaces of its own. To be called in a shell below this one.
apart() {
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child --propagation private "$@"
}

make_group() {
    [ "$(id -u)" = 0 ] && [ -n "$(groups)" ] || { echo "a machine takes root, and control groups of the unified hierarchy" >&2; return 1; }
    group=$(groups)/chancery-machine-$$
    mkdir "$group"
    trap 'find "$group" -depth -type d -exec rmdir {} +' EXIT
}

lay_out() {
    local base=$1 share=$2 name
    mount -t tmpfs -o mode=755 machine "$share/mount"
    mkdir "$share"/mount/{changes,work,root}
    mount -t overlay -o "lowerdir=$base,upperdir=$share/mount/changes,workdir=$share/mount/work" overlay "$share/mount/root"
    cd "$share/mount/root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    for name in dev run tmp; do mount -t tmpfs -o mode=755 "$name" "$name"; done
    for name in null zero full random urandom tty; do
        touch "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    mkdir -p dev/pts dev/shm old share
    chmod 1777 tmp dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    touch dev/console
    mount --bind "$share/console" dev/console
    mount --bind "$share" share
    echo machine >etc/hostname
    echo "127.0.0.1 localhost" >etc/hosts
    hostname machine
    ip link set lo up
    # There is no terminal, and no network from which Debian could get anything.
    for name in console-getty.service apt-daily.timer apt-daily-upgrade.timer; do ln -sf /dev/null "etc/systemd/system/$name"; done
}

case $1 in
probe)
    make_group
    there=$(mktemp -d)
    trap 'rmdir "$there"; find "$group" -depth -type d -exec rmdir {} +' EXIT
    # shellcheck disable=SC2016
    (apart bash -c 'set -e
        mount -t tmpfs machine "$1" && cd "$1" && mkdir lower upper work root groups
        mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root
        mount -t cgroup2 cgroup2 groups
        mount -t proc proc /proc' probe "$there")
    ;;
base)
    mkdir -p "$2"
    exec 9>"$2/lock"
    flock 9
    [ ! -e "$2/whole" ] || exit 0
    rm -rf "$2/root"
    . /etc/os-release
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,openssh-client "$VERSION_CODENAME" "$2/root" >"$2/log" 2>&1 ||
        { tail -20 "$2/log" >&2; exit 1; }
    rm -rf "$2"/root/var/cache/apt/archives/*.deb
    touch "$2/whole"
    ;;
run)
    base=$2/root share=$3
    mkdir "$share/mount"
    make_group
    echo "$group" >"$share/group"
    # shellcheck disable=SC2016
    apart "$0" init "$base" "$share" </dev/null >"$share/console" 2>&1 &
    machine=$!
    # Ends when nobody is left who could write to it.
    cat >/dev/null
    # The machine's first process takes all others with it.
    kill -KILL $(cat "/proc/$machine/task/$machine/children") 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    ;;
init)
    lay_out "$2" "$3"
    pivot_root . old
    umount -l old
    # Credentials are mounted where services see them only when mounts travel.
    mount --make-rshared /
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other NOTIFY_SOCKET=/share/ready \
        /lib/systemd/systemd --log-target=journal-or-kmsg --log-level=info
    ;;
*) exit 2 ;;
esac
