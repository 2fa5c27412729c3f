#!/usr/bin/env bash
# Makes an image to start from where no image registry can be reached: mmdebstrap makes a root file system from the
# package mirror that this machine uses, and layercake imports it.
#
# Usage: base.sh NAME      ($LAYERCAKE is the program, `layercake` by default)
set -euo pipefail
name=$1
layercake=${LAYERCAKE:-layercake}

. /etc/os-release
for sources in /etc/apt/sources.list.d/"$ID".sources /etc/apt/sources.list; do
    if [ -s "$sources" ]; then break; fi
done

archive=$(mktemp --suffix=.tar)
trap 'rm -f "$archive"' EXIT
mmdebstrap --quiet --variant=apt "$VERSION_CODENAME" "$archive" "$sources"
"$layercake" import --change 'CMD ["bash"]' --message "mmdebstrap $ID $VERSION_CODENAME" "$archive" "$name"
