#!/usr/bin/env bash
# Build the desktop package as a folder: packaging/build.sh FOLDER [train] writes FOLDER/coverslip. On Linux, macOS and
# Windows (Git Bash). The packages in it are those of .ci/locked/package.txt; with `train`, those of package-train.txt,
# with PyTorch for processors.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 locked=.ci/locked/package${2:+-$2}.txt
[ -f src/coverslip/app/static/index.html ] || { echo "packages: the pages are not built; run: make pages" >&2 && exit 1; }

environment=$folder/environment
bin=$environment/bin
[ "${OS:-}" != Windows_NT ] || bin=$environment/Scripts
if ! cmp -s "$locked" "$environment/package.txt"; then
    "$(.ci/python)" -m venv --clear "$environment"
    install=("$bin/python" -m pip --disable-pip-version-check --quiet install --no-deps --no-compile)
    if [ -n "${2:-}" ] && [ "$(uname -s)" = Linux ]; then # elsewhere, PyTorch of the registry is that for processors
        torch=("${install[@]}" --require-hashes --only-binary :all: -r .ci/locked/torch-cpu.txt)
        "${torch[@]}" || "${torch[@]}" --extra-index-url https://download.pytorch.org/whl/cpu
    fi
    "${install[@]}" --require-hashes -r "$locked"
    cp "$locked" "$environment/package.txt"
fi
"$bin/python" -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --force-reinstall .
"$bin/python" -m PyInstaller --noconfirm --log-level WARN --distpath "$folder" --workpath "$folder/work" packaging/coverslip.spec
[ "$(uname -s)" != Linux ] || packaging/linux/strip.sh "$folder/coverslip"
"$bin/python" packaging/check.py "$folder"
