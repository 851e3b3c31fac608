# Shared by the scripts of this folder: `. scripts/lib.sh`. Plain sh, because it runs before anything is installed.

# A root shell that was made by su may lack them; runc and others are there.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Says one line about what is going on.
say() { printf 'runlet: %s\n' "$*" >&2; }

# Says why not, and ends the script.
fail() { say "$*"; exit 1; }

# Package installation, mounts and cgroups all belong to root.
need_root() { [ "$(id -u)" = 0 ] || fail "$1 needs root: run it as root or with sudo"; }

# Runs a command up to three times: mirrors and registries have bad moments.
three_times() {
  "$@" && return 0
  for pause in 2 8; do
    say "that failed; trying again in $pause s: $*"
    sleep "$pause"
    "$@" && return 0
  done
  return 1
}

# apt-get without questions. It waits for another apt to end, and starts no service of what it installs (with policy-rc.d).
apt() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o APT::Get::Assume-Yes=true "$@"; }

# Where things that are dear to make are kept: programs of other Debian releases, built servers, images.
# HOME may be unset in a CI job.
cache_folder() { printf '%s/runlet\n' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}"; }
