#!/usr/bin/env bash
# mcp-remote.sh URL [ARGUMENT...]: a stdio host behind mcp-remote as users run it, signed in by browser.mjs.
# NODE_EXTRA_CA_CERTS names a private CA. STATE=DIR keeps mcp-remote's registration and tokens; REFRESH=1 replaces the
# access token kept there by one that no longer passes, so that mcp-remote must use its refresh token.
set -euo pipefail
url=${1:?usage: mcp-remote.sh URL [ARGUMENT...]}
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH="$here/../../deploy/demo/node_modules/.bin:$here/node_modules/.bin:$PATH" BROWSER="$here/browser.mjs"
if [ -z "${STATE:-}" ]; then
    STATE=$(mktemp -d)
    trap 'rm -rf "$STATE"' EXIT
fi
mkdir -p "$STATE"
export MCP_REMOTE_CONFIG_DIR=$STATE
if [ -n "${REFRESH:-}" ]; then
    find "$STATE" -name '*_tokens.json' -exec sed -Ei 's/("access_token": *"[^"]*).{8}"/\1AAAAAAAA"/' {} +
fi
timeout "${LIMIT:-60}" node "$here/stdio.mjs" -- mcp-remote "$url" "$@"
