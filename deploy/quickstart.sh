#!/usr/bin/env bash
# Builds Gatehouse on Debian 12, starts it in front of a demo MCP server, and shows a first protected call step by step.
set -euo pipefail
command_at=${EPOCHREALTIME/[.,]/} # microseconds

usage() {
    cat <<'TEXT'
usage: deploy/quickstart.sh [--once]

Installs what is missing (apt as root or by sudo; npm packages into deploy/demo), builds a release into build/, starts a
demo MCP server and, in front of it, `gatehouse serve --upstream URL` and nothing else. Then it makes an account by the
printed link, shows a first protected call as a real MCP client makes it, and says how long that took. It stays up and
says what to paste into your own MCP client. Ctrl-C ends everything.

  --once    end after the call; exit status 0 when each step was seen
  --help    this text

Ports: gateway 8080, server 3000; another one where one of them is taken.
GATEHOUSE=FILE uses that binary and builds nothing. NO_COLOR=1 prints without colour.
TEXT
}

once=no
for argument in "$@"; do
    case $argument in
        --once) once=yes ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=$root/deploy/demo
run=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-demo.XXXXXX")
pids=()

bold='' dim='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    if [ "${#pids[@]}" -gt 0 ]; then
        kill "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    rm -rf "$run"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- set-up: each job is one line with its time; its output is shown only when it fails. A function run as a job
# chains its commands: `set -e` does not hold inside a condition.

job() { # TITLE COMMAND...
    local title=$1 started=${EPOCHREALTIME/[.,]/}
    shift
    printf '%-34s' "$title"
    if ! "$@" >"$run/job.log" 2>&1; then
        printf '%sfailed%s\n' "$red" "$plain"
        tail -n 40 "$run/job.log" >&2
        exit 1
    fi
    printf '%sok%s %s%d ms%s\n' "$green" "$plain" "$dim" $(((${EPOCHREALTIME/[.,]/} - started) / 1000)) "$plain"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "packages are missing, and this is neither root nor a sudoer: $*" >&2
        return 1
    fi
}

missing_packages() {
    local package wanted=(ca-certificates)
    if [ -z "${GATEHOUSE:-}" ]; then
        wanted+=(gcc libc6-dev meson ninja-build pkg-config libssl-dev libevent-dev libnghttp2-dev
            libcurl4-openssl-dev libyaml-dev libsqlite3-dev libhiredis-dev libseccomp-dev)
    fi
    command -v npm >/dev/null || wanted+=(npm)
    for package in "${wanted[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

install_node_side() { # only when the installed tree is not the locked one
    cd "$demo" || return
    cmp -s package-lock.json node_modules/.installed ||
        { npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed; }
}

build_release() {
    if [ -f "$root/build/build.ninja" ]; then
        meson configure "$root/build" -Dbuildtype=release || return
    else
        meson setup "$root/build" "$root" -Dbuildtype=release -Dwerror=false -Dtests=false || return
    fi
    ninja -C "$root/build"
}

mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
    echo "apt: ${packages[*]}"
    if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null; then sudo -v; fi
    job "Install ${#packages[@]} packages" install_packages "${packages[@]}"
fi
job "Install the demo's Node side" install_node_side
[ -n "${GATEHOUSE:-}" ] || job "Build a release into build/" build_release
gatehouse=${GATEHOUSE:-$root/build/gatehouse}
node=$demo/node_modules/.bin/node # the locked one: Debian's is too old for the MCP SDK

# ---- the two programs

start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$run/$name.out" 2>"$run/$name.log" &
    pids+=($!)
}

# Waits until the URL answers with one of the statuses, at most 15 s; fails at once when the program started last has ended.
up() { # NAME URL STATUS...
    local name=$1 url=$2 deadline=$((SECONDS + 15))
    shift 2
    until "$node" -e 'const [, url, ...good] = process.argv;
        fetch(url).then((r) => process.exit(good.includes(String(r.status)) ? 0 : 1), () => process.exit(1))' "$url" "$@"; do
        if ! kill -0 "${pids[-1]}" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$run/$name.log"
            echo "the $name ended, or does not answer at $url"
            return 1
        fi
        sleep 0.1
    done
}

read -r gateway_port server_port < <("$node" "$demo/ports.mjs" 8080 3000)
upstream=http://127.0.0.1:$server_port/mcp
endpoint=http://127.0.0.1:$gateway_port/mcp

start server env PORT="$server_port" "$node" "$demo/server.mjs"
job "Start the MCP server, port $server_port" up server "http://127.0.0.1:$server_port/" 404
echo "${bold}gatehouse serve --upstream $upstream${plain}"
serve_at=${EPOCHREALTIME/[.,]/}
start gateway env STATE_DIRECTORY="$run/state" "$gatehouse" serve --upstream "$upstream" --listen "127.0.0.1:$gateway_port"
job "Start the gateway, port $gateway_port" up gateway "$endpoint" 401

# ---- the account and the call: the link as the gateway printed it, for a person to open

setup_link() { sed -n 's|^ *\(http://[^ ]*/setup?token=[^ ]*\)$|\1|p' "$run/gateway.log"; }
for _ in {1..50}; do
    [ -z "$(setup_link)" ] || break
    sleep 0.1
done
name=demo password=$(head -c 12 /dev/urandom | base64)
SETUP_LINK=$(setup_link) WALK_AS=$name:$password COMMAND_AT=$command_at SERVE_AT=$serve_at \
    "$node" "$demo/first-call.mjs" "$endpoint" || { tail -n 20 "$run/gateway.log" >&2; exit 1; }
[ "$once" = no ] || exit 0

cat <<TEXT
${bold}Still running.${plain} The MCP endpoint, behind the gateway:   ${bold}$endpoint${plain}

  Claude Code     claude mcp add --transport http gatehouse-demo $endpoint
  other clients   {"mcpServers": {"gatehouse-demo": {"type": "http", "url": "$endpoint"}}}
  over stdio      npx mcp-remote $endpoint

  A client opens your browser; sign in there as   ${bold}$name${plain}   with   ${bold}$password${plain}
  What you have allowed, and can end              http://127.0.0.1:$gateway_port/account
  Who called what: the audit log                  tail -f $run/gateway.out

${dim}Ctrl-C ends everything, the account too. For your own server:  gatehouse serve --upstream URL${plain}
TEXT
wait -n || true
echo "${red}One of the programs ended.${plain}" >&2
tail -n 5 "$run"/*.log >&2
exit 1
