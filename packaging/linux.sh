#!/usr/bin/env bash
# Build the Linux packages into dist/: the folder by PyInstaller, coverslip_VERSION_amd64.deb by dpkg-deb, and
# coverslip-VERSION-linux-x86_64.run by makeself. `packaging/linux.sh train` builds coverslip-train_VERSION_amd64.deb and
# coverslip-train-VERSION-linux-x86_64.run, which contain PyTorch. Called by `make packages`. Needs dpkg-deb and makeself (Debian: dpkg,
# makeself), the built pages (make pages), and a Python whose C library is no newer than those of the users' systems.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

for program in dpkg-deb makeself; do
    command -v "$program" >/dev/null || { echo "packages: $program is missing; on Debian: apt-get install dpkg makeself" >&2 && exit 1; }
done
name=coverslip${1:+-$1} other=coverslip content=
[ -n "${1:-}" ] && content=" Contains PyTorch for processors." || other=coverslip-train
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/coverslip/_version.py)
architecture=$(dpkg --print-architecture)
libc=$(ldd --version | sed -n '1s/.* //p') # of this machine, for which Python was compiled
work=build/packages${1:+-$1}
packaging/build.sh "$work" "$@"
size=$(du -sk "$work/coverslip" | cut -f1)
mkdir -p dist

# Files of the package, as they lie on the user's disk.
root=$work/deb
rm -rf "$root"
mkdir -p "$root"/{DEBIAN,opt,usr/bin,usr/share/{applications,icons/hicolor/scalable/apps,doc/coverslip}}
cp -a "$work/coverslip" "$root/opt/coverslip"
cp packaging/linux/coverslip-window "$root/opt/coverslip/"
ln -s /opt/coverslip/coverslip "$root/usr/bin/coverslip"
cp packaging/linux/coverslip.desktop "$root/usr/share/applications/"
cp web/public/icon.svg "$root/usr/share/icons/hicolor/scalable/apps/coverslip.svg"
cp LICENSE "$root/usr/share/doc/coverslip/copyright"
cat >"$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: coverslip developers <coverslip@localhost>
Installed-Size: $size
Depends: libc6 (>= $libc)
Recommends: xdg-utils
Conflicts: $other
Replaces: $other
Section: science
Priority: optional
Description: train, test and use classifiers of microscope images
 A folder of labeled microscope images becomes a classifier, with confidence
 intervals and predictions for new images, in the browser or on the command
 line. Everything stays on your computer.$content
CONTROL
dpkg-deb --root-owner-group -Zxz -z6 --build "$root" "dist/${name}_${version}_$architecture.deb"

# The same folder with an installer that needs no administrator. Every system has gzip, but not xz or zstd.
cp packaging/linux/{install.sh,uninstall.sh,coverslip.desktop} web/public/icon.svg "$root/opt/coverslip/"
makeself --gzip --complevel 6 --nox11 --tar-quietly "$root/opt/coverslip" "dist/$name-$version-linux-$(uname -m).run" "coverslip $version" ./install.sh
du -m "dist/${name}_$version"*.deb "dist/$name-$version"*.run
