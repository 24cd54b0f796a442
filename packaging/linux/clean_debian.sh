#!/usr/bin/env bash
# Try a package on a bare Debian 12: packaging/linux/clean_debian.sh FILE IMAGES [BASE]. As root, with debootstrap.
#
# FILE is the .deb, or the .run file, which an ordinary user installs. IMAGES is a folder with a subfolder of images for
# each class. BASE is an unpacked bare Debian to copy, where there is one; else debootstrap makes one. The script
# installs, runs `doctor`, `demo`, a training on IMAGES and a prediction, asks the app for its page, removes the package,
# and fails if a step fails or if files of the package stay.
set -euo pipefail
file=$(realpath "$1") images=$(realpath "$2") base=${3:-}
work=$(mktemp -d)
root=$work/debian
app=
finish() {
    [ -z "$app" ] || { kill "$app" 2>/dev/null && wait "$app"; } || true # else /dev is busy
    for folder in dev/shm dev proc; do umount "$root/$folder" 2>/dev/null || true; done
    rm -rf --one-file-system "$work"
}
trap finish EXIT

if [ -n "$base" ]; then cp -a "$base" "$root"; else debootstrap --variant=minbase bookworm "$root" >/dev/null; fi
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/shm"
for device in null zero random urandom tty; do cp -a "/dev/$device" "$root/dev/"; done
mount -t tmpfs tmpfs "$root/dev/shm"
chroot "$root" useradd --create-home person
home=$root/home/person
cp -r "$images" "$home/images"
chown -R --reference="$home" "$home/images"

as_root() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
person=(chroot --userspec=person:person "$root" /usr/bin/env -i HOME=/home/person PATH=/home/person/.local/bin:/usr/bin:/bin LANG=C.UTF-8)
as_person() { "${person[@]}" "$@"; }
listed() { find "$root" -xdev \( -path "$root/proc" -o -path "$root/dev" -o -path "$root/tmp" -o -path "$root/var" \) -prune -o -print | sort; }
timed() { # NAME COMMAND …: the time that a step took; what it wrote is shown if it failed
    local name=$1 begun=$SECONDS
    shift
    "$@" >"$work/log" 2>&1 || { tail -40 "$work/log" >&2 && echo "$name: failed" >&2 && exit 1; }
    echo "$name: $((SECONDS - begun)) s"
}

cp "$file" "$home/"
listed >"$work/before"
as_root sh -c '! command -v python3' >/dev/null || { echo "this Debian is not bare: it has Python" >&2 && exit 1; }
SECONDS=0
case $file in
*.deb) timed "install $(basename "$file")" as_root dpkg --install "/home/person/$(basename "$file")" ;;
*.run) timed "install $(basename "$file")" as_person sh "/home/person/$(basename "$file")" ;;
*) echo "$file is no .deb and no .run file" >&2 && exit 2 ;;
esac
timed doctor as_person coverslip doctor
timed demo as_person coverslip demo --out /home/person/demo
[ -s "$home/demo/run/report.html" ]
echo "from the bare system to the first report: $SECONDS s, load $(cut -d' ' -f1 /proc/loadavg)"

timed "train on $(find "$images" -type f | wc -l) images" as_person coverslip train /home/person/images --preset good --out /home/person/run
[ -s "$home/run/report.html" ]
timed predict as_person coverslip predict /home/person/run /home/person/images --out /home/person/predictions.csv
timed "export to ONNX" as_person coverslip export /home/person/run --to onnx --out /home/person/exported
"${person[@]}" coverslip app --no-browser --port 8953 >"$work/app.log" 2>&1 & # no function: $! would be a shell, which the app outlives
app=$!
address=
for _ in $(seq 60); do
    address=$(grep -om1 'http://[^ ]*' "$work/app.log") && break
    sleep 1
done
curl --silent --show-error --fail --location --cookie-jar "$work/cookies" "$address" | grep -q '<script type="module"'
echo "the app answers with its page"
kill "$app"
wait "$app" || true
app=

case $file in
*.deb) as_root dpkg --remove "$(dpkg-deb --field "$file" Package)" >/dev/null ;;
*.run) as_person /home/person/.local/opt/coverslip/uninstall.sh >/dev/null ;;
esac
listed >"$work/after"
echo "files outside of the user's home that the package left: $(comm -13 "$work/before" "$work/after" | grep -cv "^$home" || true)"
echo "what is new in the user's home:"
comm -13 "$work/before" "$work/after" | sed -n "s|^$home/||p" | cut -d/ -f1-2 | sort | uniq -c
