#!/bin/sh
# Remove the symbol tables of the libraries in a folder, which only debuggers need. Needs binutils (strip, readelf).
# Libraries that auditwheel has changed stay as they are: `strip` would make some of them unusable.
set -eu
find "$1" -type f -name '*.so*' -not -path '*.libs/*' | while read -r library; do
    readelf --dynamic "$library" | grep -q '\.libs' || strip "$library"
done
