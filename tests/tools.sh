# Tools that tests and the demonstration use, and the Debian packages that have them. Sourced, not run.

# command-or-file : package(s) : name for CHANCERY_SKIP
TOOLS="
ostree:ostree:ostree
ssh-keygen:openssh-client:ssh-keygen
openssl:openssl:openssl
go:golang-go golang-golang-x-mod-dev:go
/usr/lib/python3/dist-packages/gi:python3-gi gir1.2-glib-2.0:glib
"

need_tools() {
    missing=""
    while IFS=: read -r tool packages name; do
        [ -n "$tool" ] || continue
        case ",${CHANCERY_SKIP:-}," in *",$name,"*) continue ;; esac
        case "$tool" in
            /*) [ -e "$tool" ] || missing="$missing $packages" ;;
            *) command -v "$tool" >/dev/null 2>&1 || missing="$missing $packages" ;;
        esac
    done <<LIST
$TOOLS
LIST
    [ -n "$missing" ] || return 0
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "these Debian packages are needed, and there is neither root nor sudo to install them:$missing" >&2; return 1; }
        as_root="sudo"
    fi
    command -v apt-get >/dev/null 2>&1 || { echo "these tools are needed; on Debian they are in:$missing" >&2; return 1; }
    echo "== installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
