#!/bin/sh
# Starts runlet in its image. Before an agent starts, the programs that must outlive its pod are copied to the node:
# a monitor lives as long as its task, and an image may be removed from the node before. They go to <root>/bin/<version>/,
# and those of other versions are removed once no monitor of theirs lives. (`root` is the flag's or RUNLET_ROOT, not a file's.)
set -eu
library=/usr/lib/runlet

root_of() {
  root=${RUNLET_ROOT:-/var/lib/runlet}
  while [ $# -gt 0 ]; do
    case $1 in
      --root) root=${2:-$root} ;;
      --root=*) root=${1#--root=} ;;
    esac
    shift
  done
  echo "$root"
}

# conmon with its libraries, and a starter under whose name the agent finds its monitors. runc starts itself anew by
# /proc/self/exe, which must be runc and no loader; it does not outlive a task's creation, so it may use the image's libraries.
copy_programs() {
  target=$1
  [ ! -d "$target" ] || return 0
  new="$(dirname "$target")/.new.$$"
  rm -rf "$(dirname "$target")"/.new.*
  mkdir -p "$new/lib"
  cp /usr/sbin/runc "$new/runc"
  cp /usr/bin/conmon "$new/conmon.program"
  ldd /usr/bin/conmon | grep -o '/[^ ]*' | while read -r file; do cp -L "$file" "$new/lib/"; done
  loader=$(basename "$(ls "$new"/lib/ld-linux*)")
  cat >"$new/conmon" <<STARTER
#!/bin/bash
here=$target
exec -a "\$here/conmon" "\$here/lib/$loader" --library-path "\$here/lib" "\$here/conmon.program" "\$@"
STARTER
  chmod 755 "$new/conmon"
  sync --file-system "$new"
  mv -T "$new" "$target"
}

# A monitor's command line names the folder that it was started from. All are read before any is compared: a grep for the folder
# would find its own arguments.
remove_others() {
  running=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n')
  for folder in "$(dirname "$1")"/*; do
    [ "$folder" != "$1" ] && [ -d "$folder" ] || continue
    case $running in
      *"$folder/"*) ;;
      *) rm -rf "$folder" ;;
    esac
  done
}

if [ "${1:-}" = agent ]; then
  programs="$(root_of "$@")/bin/$(cat /usr/share/runlet/programs-version)"
  mkdir -p "$(dirname "$programs")"
  copy_programs "$programs"
  remove_others "$programs"
  PATH="$programs:$PATH"
  export PATH
fi
# One arena of malloc instead of one for each thread: the same work in a few megabytes less.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
exec node "$library/runlet.js" "$@"
