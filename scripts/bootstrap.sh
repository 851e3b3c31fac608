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
