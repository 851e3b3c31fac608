#!/bin/sh
# Gives the virtual machine of the tests a kernel: that of Debian's linux-image package, unpacked into a folder of the cache and
# not installed. Prints the folder, in which are vmlinuz and modules/. Quick when it is there already.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# A disk, a network card and layers of root file systems are what the tests need beyond what is built in; in the order in which they are loaded.
modules='virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover virtio_net overlay'

target="$(cache_folder)/vm-kernel"
if [ "$(cat "$target/wanted" 2>/dev/null)" = "$modules" ]; then
  echo "$target"
  exit 0
fi
[ "$(dpkg --print-architecture)" = amd64 ] || fail 'vm-kernel: only amd64 machines are known'

# The newest of the archive by its meta package: linux-image-amd64 on Debian, linux-image-generic on Ubuntu.
newest() {
  for meta in linux-image-amd64 linux-image-generic; do
    apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
  done | head -n 1
}
image=$(newest)
if [ -z "$image" ]; then
  need_root 'reading the package lists'
  three_times apt update -qq || true
  image=$(newest)
fi
[ -n "$image" ] || fail 'vm-kernel: no package source of this machine has a kernel'
version=${image#linux-image-}

say "taking the kernel of $image into $target"
mkdir -p "$(cache_folder)"
work=$(mktemp -d "$(cache_folder)/vm-kernel-making.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# Ubuntu keeps the modules in a package of their own.
download() { (cd "$work" && apt -o APT::Sandbox::User=root download -qq "$image" && { apt -o APT::Sandbox::User=root download -qq "linux-modules-$version" 2>/dev/null || true; }); }
three_times download >/dev/null || fail "vm-kernel: cannot download $image"
for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/root"; done

mkdir "$work/made" "$work/made/modules"
cp "$work/root/boot/vmlinuz-$version" "$work/made/vmlinuz"
for module in $modules; do
  file=$(find "$work/root" -name "$module.ko*" | head -n 1)
  [ -n "$file" ] || continue # built in
  case $file in
    *.xz) xz -dc "$file" >"$work/made/modules/$module.ko" ;;
    *.zst) zstd -qdc "$file" >"$work/made/modules/$module.ko" ;;
    *) cp "$file" "$work/made/modules/$module.ko" ;;
  esac
done
echo "$version" >"$work/made/version"
echo "$modules" >"$work/made/wanted"
rm -rf "$target"
mv "$work/made" "$target"
echo "$target"
