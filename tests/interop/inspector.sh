#!/usr/bin/env bash
# inspector.sh URL [ARGUMENT...]: MCP Inspector's command line calls echo once, signed in by browser.mjs; CIMD_URL is its id.
# NODE_EXTRA_CA_CERTS names a private CA. STATE=DIR keeps its registration and tokens; REFRESH=1 replaces the access token
# kept there by one that no longer passes, so that Inspector must use its refresh token.
set -euo pipefail
url=${1:?usage: inspector.sh URL [ARGUMENT...]}
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH="$here/../../deploy/demo/node_modules/.bin:$here/node_modules/.bin:$PATH" BROWSER="$here/browser.mjs"
export MCP_AUTO_OPEN_ENABLED=true MCP_INSPECTOR_SECRET_STORE=file # no terminal, no key ring
export HOME=${STATE:?STATE is not set}
mkdir -p "$HOME"
if [ -n "${REFRESH:-}" ]; then
    grep -rlZ access_token "$HOME" | xargs -0r sed -Ei 's/(access_token\\?": *\\?"[^"\\]*)[^"\\]{8}(\\?")/\1AAAAAAAA\2/'
fi
timeout "${LIMIT:-60}" mcp-inspector --cli "$url" --protocol-era "${ERA:-auto}" --method tools/call --tool-name echo \
    --tool-arg message=hi --format json -q ${CIMD_URL:+--client-metadata-url "$CIMD_URL"} "$@"
