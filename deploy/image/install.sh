#!/bin/sh
# Makes the image's file system, in its first stage: installs the Debian packages that the base lacks, puts the agent and its
# Node in place, writes the list of what is in it, and takes away what nobody needs.
#   sh install.sh VERSION SOURCE_DATE_EPOCH
set -eu
version=$1
epoch=$2
context=$(dirname "$0")
library=/usr/lib/runlet

missing=''
while read -r package; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done <"$context/packages.txt"
if [ -n "$missing" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  apt-get install -qq --yes --no-install-recommends $missing
fi

mkdir -p "$library" /usr/share/runlet
cp -R "$context/runlet/." "$library/"
install -m 755 "$context/node" /usr/bin/node
install -m 755 "$context/entrypoint.sh" "$library/entrypoint.sh"
ln -s "$library/entrypoint.sh" /usr/bin/runlet
chmod -R u=rwX,go=rX "$library"

# Programs that outlive the agent's pod are copied to the node under this name: other programs, another name.
programs=$(cat /usr/bin/conmon /usr/sbin/runc | sha256sum | cut -c 1-12)
echo "$version-$programs" >/usr/share/runlet/programs-version

# Plug-ins of networks that tasks do not have, manuals, translations, static libraries, caches, logs.
rm -rf /usr/lib/cni /usr/share/man /usr/share/info /usr/share/locale /usr/lib/*-linux-gnu/*.a /usr/share/bash-completion \
  /usr/share/zsh /usr/share/fish /var/lib/apt/lists /var/cache /var/log /tmp/.[!.]* /run/lock
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -depth -type d -empty -delete
mkdir -p -m 755 /var/cache /var/log /var/lib/apt/lists
rm -f /etc/machine-id /var/lib/dbus/machine-id /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache

node "$context/sbom.mjs" "$context/package-lock.json" "$version" "$epoch" >/usr/share/runlet/sbom.spdx.json
rm -rf "$context"
# No file is newer than its source, so that the same sources make the same image.
find / -xdev -newermt "@$epoch" -exec touch --no-dereference --date "@$epoch" {} + 2>/dev/null || true
