#!/bin/sh
# Makes the image that examples/standalone names, `oci:images/busybox:latest`, from this machine's static busybox: an OCI layout
# beside the manifests, with a user `app` (1000). Nothing is downloaded. Quick when it is there already.
#   sh scripts/make-example-image.sh [FOLDER]     default: examples/standalone/images
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

folder=${1:-examples/standalone/images}
layout=$folder/busybox
if [ -f "$layout/index.json" ] && umoci ls --layout "$layout" 2>/dev/null | grep -qx latest; then exit 0; fi
need_root 'making an image with files of other users'

busybox=$(command -v busybox) || fail 'no busybox on PATH: sh scripts/packages.sh quickstart installs it'
mkdir -p "$folder"
work=$(mktemp -d "$folder/.making.XXXXXX")
trap 'rm -rf "$work"' EXIT

umoci init --layout "$work/layout"
umoci new --image "$work/layout:latest"
umoci unpack --image "$work/layout:latest" "$work/bundle" >/dev/null
root=$work/bundle/rootfs
for name in bin etc home/app proc sys dev tmp root var; do mkdir -p "$root/$name"; done
chmod 1777 "$root/tmp"
chown 1000:1000 "$root/home/app"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\napp:x:1000:\n' >"$root/etc/group"
umoci repack --image "$work/layout:latest" "$work/bundle" >/dev/null
umoci config --image "$work/layout:latest" --config.cmd /bin/sh --config.env PATH=/bin --config.workingdir /
umoci gc --layout "$work/layout" >/dev/null 2>&1 || true

rm -rf "$layout"
mv "$work/layout" "$layout"
