#!/bin/sh
# Installs the Debian packages of the named groups that are missing, and says which. Silent and quick when none is.
#   sh scripts/packages.sh GROUP…
# No service of theirs is started or enabled: what runs is started by whoever needs it, with folders and ports of its own.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# What the agent runs: runtime, monitor, images; flock, nsenter and mount; busybox for root file systems of examples and tests.
agent='runc conmon skopeo umoci util-linux mount busybox-static'
# API servers: etcd is Debian's, the rest is built (test-servers.sh) in a root file system that mmdebstrap makes.
servers='etcd-server mmdebstrap debian-archive-keyring ca-certificates curl openssl unzip'

# Group → packages.
packages_of() {
  case $1 in
    check) echo git ;;
    quickstart) echo "$agent" ;;
    # A second runtime, ctr, a registry, promtool.
    node) echo "$agent crun containerd docker-registry prometheus procps openssl iproute2 iptables git" ;;
    # A virtual machine with cgroup v2. Its kernel is unpacked from linux-image-amd64, never installed.
    vm) echo "$agent qemu-system-x86 cpio xz-utils zstd" ;;
    cluster) echo "$agent $servers prometheus" ;;
    chart) echo openssl unzip prometheus ca-certificates ;;
    # kubelet wants containerd and plugins for its network; the agent's image wants buildah. Debian's Prometheus cannot ask
    # Kubernetes for its targets, victoria-metrics can, by the same configuration.
    e2e) echo "$agent $servers containerd docker-registry prometheus victoria-metrics containernetworking-plugins iptables iproute2 buildah gcc libc6-dev procps" ;;
    image) echo buildah mmdebstrap debian-archive-keyring skopeo git ;;
    *) fail "no such group of packages: $1" ;;
  esac
}

wanted=''
for group; do wanted="$wanted $(packages_of "$group")" || exit 1; done
# One question for all: what comes first of the lines is there or was there, what has `installed` behind it is there.
# shellcheck disable=SC2086 # a list of names
known=$(dpkg-query -W -f ' ${Package} ${db:Status-Status} ' $wanted 2>/dev/null || true)
missing=''
for package in $wanted; do
  case "$known" in *" $package installed "*) continue ;; esac
  case "$missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
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
  for unit in docker-registry victoria-metrics prometheus prometheus-node-exporter etcd; do
    case " $missing " in *" $unit"*) systemctl disable -q "$unit.service" 2>/dev/null || true ;; esac
  done
fi
