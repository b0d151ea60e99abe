#!/bin/sh
# run.sh: builds the benchmark and a release of the gateway, measures it beside its peers, or one part of it alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=$root/build-bench
warnings="-Wall -Wextra -Wno-unused-parameter"

install() {
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    # The peers are run from here only: Debian would start each as a service, on public ports.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod 755 "$policy"
        trap '$sudo rm -f "$policy"' EXIT
    fi
    $sudo apt-get update -q
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev pkg-config python3 libnghttp2-dev libssl-dev meson ninja-build libevent-dev libjansson-dev \
        libcurl4-openssl-dev libyaml-dev libsqlite3-dev libhiredis-dev libseccomp-dev nghttp2-proxy haproxy nginx
}

# compile PROGRAM LIBRARIES SOURCE...: only when a source or header is newer than the program
compile() {
    program=$out/$1 libraries=$2
    shift 2
    if [ -x "$program" ] && [ -z "$(find "$here/src" -newer "$program" -name '*.[ch]')" ]; then
        return
    fi
    sources=
    for source in "$@"; do sources="$sources $here/src/$source"; done
    # shellcheck disable=SC2086 # lists of words
    ${CC:-cc} -O2 -g -std=gnu11 -D_GNU_SOURCE $warnings -o "$program" $sources $libraries
}

build_release() { # TARGET
    [ -e "$out/gateway/build.ninja" ] || meson setup "$out/gateway" "$root" --buildtype=release -Dtests=false
    ninja -C "$out/gateway" "$1"
}

# One part alone: no servers, no load.
run_part() { # PART
    mkdir -p "$out"
    build_release "bench/bench-$1" >"$out/$1.log" 2>&1 || {
        echo "bench: it did not build: build-bench/$1.log" >&2
        exit 1
    }
    exec "$out/gateway/bench/bench-$1"
}

for argument; do
    case $argument in
    --install) install; exit ;;
    --index | --calls) run_part "${argument#--}" ;;
    -h | --help) exec python3 "$here/rig/main.py" --help ;;
    esac
done
mkdir -p "$out/run"
command -v "${CC:-cc}" >/dev/null && command -v python3 >/dev/null || {
    echo "bench: gcc and python3 are needed: bench/run.sh --install" >&2
    exit 1
}
compile drive "-lnghttp2 -lssl -lcrypto" drive.c drive_conn.c drive_direct.c sample.c
compile backend "" backend.c
compile tokens "-lcrypto" tokens.c
case " $* " in
*" --gatehouse"*) ;; # a program of the caller's
*)
    echo "bench: building the gateway (release)" >&2
    build_release gatehouse >"$out/gateway.log" 2>&1 || echo "bench: the gateway did not build: build-bench/gateway.log" >&2
    ;;
esac
exec python3 "$here/rig/main.py" "$@"
