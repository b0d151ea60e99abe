#!/usr/bin/env bash
# Installs the Node side where it is not the locked one, then runs parts of what README.md describes, all without arguments.
#   tests/interop/run.sh --install | [matrix|http-sse|issuer|bridge|logout|grants|step-up|pages|sign-in|conformance|authorization]...      GATEHOUSE=FILE: the binary, default build/gatehouse
# The last line is "N passed, N failed".
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
demo=$here/../../deploy/demo

for tree in "$demo" "$here"; do # quickstart.sh leaves the same mark
    if ! cmp -s "$tree/package-lock.json" "$tree/node_modules/.installed"; then
        (cd "$tree" && npm ci --no-audit --no-fund --loglevel=error >&2)
        cp "$tree/package-lock.json" "$tree/node_modules/.installed"
    fi
done
[ "${1:-}" = --install ] && exit

out=$(mktemp)
trap 'rm -f "$out"' EXIT
[ "$#" -gt 0 ] || set -- matrix http-sse issuer bridge logout grants step-up pages sign-in conformance authorization
passed=0 failed=0
for part in "$@"; do
    case $part in
        matrix) script=run.mjs ;;
        http-sse | issuer | bridge | logout | grants | step-up | pages | sign-in | conformance | authorization) script=$part.mjs ;;
        *) echo "unknown part: $part" >&2; exit 2 ;;
    esac
    echo "== $part"
    "$demo/node_modules/.bin/node" "$here/$script" | tee "$out" || true
    sum=$(tail -n 1 "$out")
    if [[ $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1)) # it ended before its sum
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
