#!/bin/sh
# The way in on a machine with nothing but npm and some Node: installs what is missing, then runs a command of the project
# with the Node that package-lock.json pins. Does nothing the second time; may be run again after any failure.
#   sh scripts/bootstrap.sh modules                     node modules only; needs no root
#   sh scripts/bootstrap.sh quickstart [--once]
#   sh scripts/bootstrap.sh test [--project NAME]… [FILE]…
#   sh scripts/bootstrap.sh run GROUP PROGRAM ARGUMENT…  with the packages of a group (scripts/packages.sh)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

export HOME="${HOME:-/root}" # npm and caches want one; a CI job may have none

command=${1:?usage: bootstrap.sh modules | quickstart | test | run GROUP PROGRAM}
shift

# What installed node modules depend on; kept in node_modules once they are complete.
fingerprint() { cat package.json package-lock.json | cksum; }

# npm leaves out optional packages, native parts of tools among them, that want a newer Node than it runs on itself. So on an
# old Node the pinned one is fetched first, by itself, and npm is run on that.
node_fits() { node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major >= 24 || (major === 22 && minor >= 19) || (major === 20 && minor >= 19) ? 0 : 1)'; }
pinned_version() { sed -n '/"node_modules\/node": {/,/}/s/.*"version": "\(.*\)".*/\1/p' package-lock.json; }
ensure_fit_node() {
  node_fits && return 0
  place="$(cache_folder)/node-$(pinned_version)"
  if [ ! -x "$place/node_modules/.bin/node" ]; then
    say "fetching Node $(pinned_version), because npm here runs on $(node --version)"
    mkdir -p "$place"
    echo '{ "private": true }' >"$place/package.json"
    three_times npm install --prefix "$place" --no-save --no-audit --no-fund --loglevel=error "node@$(pinned_version)" >&2 ||
      fail 'cannot fetch Node'
  fi
  PATH="$place/node_modules/.bin:$PATH"
  export PATH
}

# `npm ci` insists on packages for other platforms that not every registry carries; `npm install` follows the lock as well.
install_modules() {
  npm install --include=dev --no-save --no-audit --no-fund --loglevel=error && return 0
  rm -rf node_modules # half of an installation is no ground to build the next try on
  return 1
}

ensure_modules() {
  [ ! -L node_modules ] || return 0 # shared with another checkout, whose it is
  [ "$(cat node_modules/.runlet-installed 2>/dev/null)" != "$(fingerprint)" ] || return 0
  say 'installing node modules'
  rm -f node_modules/.runlet-installed
  ensure_fit_node
  before=$(fingerprint)
  three_times install_modules >&2 || fail 'cannot install the node modules'
  [ "$(fingerprint)" = "$before" ] || fail 'npm changed package-lock.json: it does not belong to package.json'
  fingerprint >node_modules/.runlet-installed
}

pinned_node() {
  PATH="$PWD/node_modules/.bin:$PATH"
  export PATH
  case $(node --version) in v24.*) ;; *) fail "node_modules/.bin/node is $(node --version), not 24" ;; esac
}

case $command in
  modules)
    ensure_modules
    ;;
  quickstart)
    need_root 'npm run quickstart (it runs containers)'
    sh scripts/packages.sh quickstart
    ensure_modules
    pinned_node
    exec node scripts/quickstart.ts "$@"
    ;;
  test)
    need_root 'npm test (it runs containers and installs the programs that they are tested against)'
    ensure_modules
    pinned_node
    exec node scripts/run-tests.ts "$@"
    ;;
  run)
    group=${1:?a group of packages}
    shift
    need_root "this (it needs the packages of $group)"
    sh scripts/packages.sh "$group"
    ensure_modules
    pinned_node
    exec "$@"
    ;;
  *) fail "no such command: $command" ;;
esac
