#!/bin/sh
# Remove what install.sh wrote. Workspaces, runs and images stay.
set -eu
target=$(dirname "$(readlink -f "$0")")
data=${XDG_DATA_HOME:-$HOME/.local/share}
[ "$(readlink -f "$HOME/.local/bin/coverslip")" != "$target/coverslip" ] || rm "$HOME/.local/bin/coverslip"
rm -f "$data/applications/coverslip.desktop" "$data/icons/hicolor/scalable/apps/coverslip.svg"
rm -rf "$target"
echo "coverslip was removed. The folder of the app ($HOME/coverslip by default) and the caches stay."
