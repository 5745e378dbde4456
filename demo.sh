#!/usr/bin/env bash
# Installs, builds, loads a directory into a container on disk, checks it, and shows what was done.
#
#   ./demo.sh [DIRECTORY]        default: a sample tree that is made for it
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund
npm run --silent build
place=$(mktemp -d "${TMPDIR:-/tmp}/clfsload-demo-XXXXXX")
source=${1:-}
if [ -z "$source" ]; then
  source=$place/sample
  mkdir -p "$source/data/empty" "$source/links"
  for i in $(seq 200); do printf 'line %s of a small file\n' $(seq "$i") >"$source/data/file-$i.txt"; done
  head -c 20000000 /dev/zero | tr '\0' 'x' >"$source/data/large"
  ln "$source/data/file-1.txt" "$source/links/hard"
  ln -s ../data/large "$source/links/symbolic"
  mkfifo "$source/links/fifo"
fi
run() { printf '\n$ clfsload %s\n' "$*"; node bin/clfsload "$@"; }
run load "$source" "$place/container" --state-path="$place/state" --preserve-hardlinks
run fsck "$place/container" --content
run verify "$source" "$place/container" --content
run info "$place/container"
run ls -l "$place/container"
printf '\nThe container is %s, the job state %s.\n' "$place/container" "$place/state"
