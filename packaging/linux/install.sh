#!/bin/sh
# Install the unpacked folder for this user, without an administrator. Called by the .run file; a folder may be given.
set -eu
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=${1:-$HOME/.local/opt/coverslip}
bin=$HOME/.local/bin
here=$(pwd)

if [ -e "$target" ] && [ ! -x "$target/uninstall.sh" ]; then
    echo "coverslip: $target exists and is not an installation of coverslip. Give another folder: sh FILE.run -- FOLDER" >&2
    exit 1
fi
rm -rf "$target.new"
mkdir -p "$(dirname "$target")" "$bin" "$data/applications" "$data/icons/hicolor/scalable/apps"
cp -a "$here" "$target.new"
rm -rf "$target"
mv "$target.new" "$target"
ln -sf "$target/coverslip" "$bin/coverslip"
cp "$target/icon.svg" "$data/icons/hicolor/scalable/apps/coverslip.svg"
sed "s|^Exec=.*|Exec=\"$target/coverslip-window\"|" "$target/coverslip.desktop" >"$data/applications/coverslip.desktop"
echo "coverslip is installed in $target. Start it from the menu, or with: $bin/coverslip app"
echo "To remove it: $target/uninstall.sh"
