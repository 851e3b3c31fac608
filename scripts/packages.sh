#!/bin/sh
# Installs the Debian packages of the named groups that are missing, and says which. Silent and quick when none is.
#   sh scripts/packages.sh GROUP…
# No service of theirs is started or enabled: what runs is started by whoever needs it, with folders and ports of its own.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Group → packages. `needs` may name a package twice.
packages_of() {
  case $1 in
    check) echo git ;;
    # What the agent itself runs: runtime, monitor, images; flock, mount and nsenter; busybox for the examples.
    quickstart) echo runc conmon skopeo umoci util-linux mount busybox-static ;;
    # The real peers of test/node: a second runtime, ctr, a registry, promtool; images made damaged by tar and gzip.
    node) echo runc conmon skopeo umoci util-linux mount busybox-static crun containerd docker-registry prometheus procps tar gzip openssl iproute2 iptables git ;;
    # A virtual machine with cgroup v2. Its kernel is unpacked from linux-image-amd64, never installed.
    vm) echo qemu-system-x86 cpio gzip busybox-static ;;
    # The sources of the API server need Debian's Go; etcd is Debian's.
    cluster) echo runc conmon skopeo umoci util-linux mount busybox-static etcd-server openssl curl ca-certificates unzip ;;
    chart) echo openssl unzip prometheus ca-certificates ;;
    e2e) echo runc conmon skopeo umoci util-linux mount busybox-static etcd-server openssl curl ca-certificates unzip containerd containernetworking-plugins iptables iproute2 buildah mmdebstrap gcc libc6-dev procps ;;
    image) echo buildah mmdebstrap skopeo ;;
    *) fail "no such group of packages: $1" ;;
  esac
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=''
for group; do
  for package in $(packages_of "$group"); do
    is_installed "$package" && continue
    case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
  done
done
[ -n "$missing" ] || exit 0
need_root "installing$missing"

# While this file says 101, packages that bring a service may not start it. An administrator's own file stays as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\n# written for the time of an installation by runlet\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

say "installing Debian packages:$missing"
log=$(mktemp)
install_missing() {
  apt update -qq >"$log" 2>&1 || true # an unreachable source is no harm as long as another one has the packages
  dpkg --configure -a >>"$log" 2>&1 || true # ends what an interrupted installation left half done
  # shellcheck disable=SC2086 # a list of names
  apt install -qq --no-install-recommends $missing >>"$log" 2>&1 && return 0
  tail -n 15 "$log" >&2
  return 1
}
three_times install_missing || { rm -f "$log"; fail "cannot install$missing"; }
rm -f "$log"

# On a machine with systemd a package's service would start at the next boot.
if [ -d /run/systemd/system ]; then
  for unit in docker-registry prometheus prometheus-node-exporter etcd; do
    case " $missing " in *" $unit"*) systemctl disable -q "$unit.service" 2>/dev/null || true ;; esac
  done
fi
