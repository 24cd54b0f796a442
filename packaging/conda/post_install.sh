#!/bin/sh
# Install coverslip from the wheels of the installer, without a network.
set -eu
"$PREFIX/bin/python" -m pip install --no-index --find-links "$PREFIX/coverslip-wheels" 'coverslip[app,formats,keras,map,train]'
rm -rf "$PREFIX/coverslip-wheels"
