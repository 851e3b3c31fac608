#!/bin/sh
# Gives the machine a criu that reads the vDSO of today's kernels: the one of Debian 13 (trixie), because Debian 12's (3.17)
# does not. It is unpacked with the libraries it was linked with into a folder of the cache, so that no installed package
# changes. Prints the path of the program: put its folder on PATH. Quick when it is there already.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

target="$(cache_folder)/criu"
if [ -x "$target/criu" ] && "$target/criu" --version >/dev/null 2>&1; then
  echo "$target/criu"
  exit 0
fi
need_root 'installing criu'
[ "$(dpkg --print-architecture)" = amd64 ] || fail 'criu: only amd64 machines are known'

say "installing criu (Debian 13's, unpacked into $target)"
mkdir -p "$(cache_folder)"
work=$(mktemp -d "$(cache_folder)/criu-making.XXXXXX")
trap 'rm -rf "$work"' EXIT
# Files of the keys are readable to _apt only when the folder is.
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs" "$work/made/root"

# A source for trixie beside this machine's own: the same archive and keys, another suite.
debian_archive() { apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null | awk '$1 == "Debian" && $3 == "main" { print $2; exit }'; }
archive=$(debian_archive)
if [ -z "$archive" ]; then
  three_times apt update -qq || true
  archive=$(debian_archive)
fi
[ -n "$archive" ] || fail 'criu: this machine has no Debian archive among its package sources'
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >"$work/trixie.list"

trixie() {
  apt -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" \
    -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist="$work/trixie.list" -o Dir::State::status=/dev/null \
    -o APT::Sandbox::User=root "$@"
}
three_times trixie update -qq || fail 'criu: cannot read the package lists of Debian 13'

# With an empty status apt names everything that criu is linked with, the C library included.
packages=$(trixie -s install --no-install-recommends criu | awk '/^Inst (lib|criu)/ { print $2 }' | grep -vE '^(libc-bin|libpython|libperl)')
download() { (cd "$work/debs" && trixie download -qq $packages); }
three_times download >/dev/null || fail 'criu: cannot download its packages'
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/made/root"; done

cat >"$work/made/criu" <<'STARTER'
#!/bin/sh
# Starts criu with the C library and the other libraries that came with it.
root=$(dirname "$(readlink -f "$0")")/root
libraries=$root/usr/lib/x86_64-linux-gnu
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$root/lib/x86_64-linux-gnu" "$root/usr/sbin/criu" "$@"
STARTER
chmod 755 "$work/made/criu"
"$work/made/criu" --version >/dev/null || fail 'criu: what was unpacked does not run'
rm -rf "$target"
mv "$work/made" "$target"
echo "$target/criu"
