#!/usr/bin/env bash
# Checks that every C file is as clang-format leaves it; `format.sh --write` mends them.
set -euo pipefail
cd "${GH_LINT_ROOT:-$(dirname "$0")/../..}"

tool=$(command -v clang-format-14 || command -v clang-format) || { echo "format.sh: clang-format is missing" >&2; exit 1; }
folders=()
for folder in include src tests bench; do
    [ -d "$folder" ] && folders+=("$folder")
done
mapfile -t files < <(find "${folders[@]}" -name node_modules -prune -o \( -name '*.c' -o -name '*.h' \) -print | sort)
[ "${#files[@]}" -gt 0 ] || { echo "format.sh: no C file found" >&2; exit 1; }
if [ "${1:-}" = --write ]; then
    "$tool" -i "${files[@]}"
else
    "$tool" --dry-run -Werror "${files[@]}"
fi
