#!/usr/bin/env bash
# Builds and runs the tests on Debian 12, with all the set-up they need; the last line is "N passed, N failed".
set -uo pipefail

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--quick | --full | --long] [SUITE...]

Installs what is missing (apt as root or by sudo; npm packages for the full tier), builds under build-test/, runs the
suites, and prints a line for each with its count and its time. Exit status 0 when nothing failed and every suite ran.

  --quick   about 90 seconds once built, no npm: clang with address and undefined-behaviour sanitizers
  --full    the default: adds gcc, thread sanitizer, integration, crashes at each step of the store, real clients and issuers,
            conformance, short fuzzing
  --long    what wants a quiet machine: ten million executions per fuzz target with coverage, planted bugs, deploy/systemd/ under a
            systemd that is booted (root), the whole integration suite with the issuer in a process of its own (apart) and with
            Redis in place of SQLite (redis; a part of both is in integration), tests/long/*
  --list    the suites of each tier, and parts of them that have a name: authz, what is about who may call what
  --help    this text

Names select suites of any tier: tests/run.sh unit lint
CI=true: nothing may be skipped. JOBS=N: parallel jobs, default one per processor. SECONDS_PER_TARGET=N: fuzzing, 5.
RUNS_PER_TARGET=N: long fuzzing, 10000000. Logs: build-test/logs/SUITE.log
Screenshots of the managed issuer's pages, by the suite interop: build-test/screenshots/
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
out=$root/build-test
logs=$out/logs
jobs=${JOBS:-$(nproc)}
quick=(lint clang unit tables corpora replay)
full=("${quick[@]}" gcc threads integration crash interop conformance fuzz)
long=(fuzz-long planted systemd apart redis)
parts=(authz) # of suites above, by name alone
for hook in tests/long/*; do
    [ -x "$hook" ] && [ -f "$hook" ] && hook=${hook##*/} && long+=("${hook%.*}")
done

# ---- the command line

tier=full
names=()
for argument in "$@"; do
    case $argument in
        --quick | --full | --long) tier=${argument#--} ;;
        --list)
            printf 'quick  %s\n' "${quick[*]}"
            printf 'full   %s\n' "${full[*]}"
            printf 'long   %s\n' "${long[*]}"
            printf 'parts  %s\n' "${parts[*]}"
            exit 0
            ;;
        --help | -h) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *)
            if [[ " ${full[*]} ${long[*]} ${parts[*]} " != *" $argument "* ]]; then
                echo "tests/run.sh: no suite named $argument; there are: ${full[*]} ${long[*]} ${parts[*]}" >&2
                exit 2
            fi
            names+=("$argument")
            ;;
    esac
done
declare -n of_tier=$tier
[ "${#names[@]}" -gt 0 ] && suites=("${names[@]}") || suites=("${of_tier[@]}")

selected() { # SUITE...: is one of them to run?
    local name
    for name in "$@"; do
        [[ " ${suites[*]} " == *" $name "* ]] && return 0
    done
    return 1
}

# ---- set-up

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "this is neither root nor a sudoer; run by hand: $*" >&2
        return 1
    fi
}

missing_packages() {
    local package wanted=(
        ca-certificates clang-14 clang-format-14 libclang-rt-14-dev llvm-14 libc6-dev gcc meson ninja-build pkg-config
        libssl-dev libevent-dev libnghttp2-dev libjansson-dev libcurl4-openssl-dev libyaml-dev libsqlite3-dev libhiredis-dev libseccomp-dev libcmocka-dev
        openssl procps python3 redis-server)
    selected integration threads crash authz "${long[@]:2}" && wanted+=(python3-pytest python3-cryptography python3-jwt python3-yaml)
    selected integration && wanted+=(haproxy nginx libnginx-mod-stream)
    selected systemd && wanted+=(systemd)
    selected interop conformance authz && ! command -v npm >/dev/null && wanted+=(npm)
    selected interop && wanted+=(chromium)
    selected planted && wanted+=(patch)
    selected alerts && wanted+=(prometheus)
    selected readers uris && ! command -v go >/dev/null && wanted+=(golang-go)
    selected readers uris && ! command -v node >/dev/null && wanted+=(nodejs)
    for package in "${wanted[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

set_up() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] && return 0
    echo "installing: ${missing[*]}"
    as_root apt-get update && install "${missing[@]}"
}

# Services that come with packages are not started: their ports may be somebody's, and no suite wants them.
install() { # PACKAGE...
    # shellcheck disable=SC2016 # for that shell
    as_root sh -c '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy" || exit 1
        fi
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' sh "$@"
}

# ---- counting: a suite calls tally; what it leaves in its .count file is summed up here

tally() { # PASSED FAILED [SKIPPED]
    echo "$1 $2 ${3:-0}" >>"$logs/$suite.count"
}

tally_junit() { # FILE: each case of a JUnit report
    python3 - "$1" <<'PYTHON' >>"$logs/$suite.count"
import sys
import xml.etree.ElementTree as tree
passed = failed = skipped = 0
for group in tree.parse(sys.argv[1]).iter("testsuite"):
    before = failed
    for case in group.iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
            print("FAILED", case.get("classname"), case.get("name"), file=sys.stderr)
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    if failed > before:  # what TAP programs say about it
        lines = (group.findtext("system-out") or "").splitlines()
        print(*(line for line in lines if line.startswith(("#", "not ok", "Bail"))), sep="\n", file=sys.stderr)
print(passed, failed, skipped)
sys.exit(failed > 0)
PYTHON
}

tally_lines() { # the interop programs print a line per case: "ok ...", "FAILED ...", "skipped ..."
    local log=$1
    tally "$(grep -c '^ok ' "$log")" "$(grep -c '^FAILED ' "$log")" "$(grep -c '^skipped ' "$log")"
}

try() { # TITLE COMMAND...: one case that is a whole command
    local title=$1
    shift
    if "$@"; then
        echo "ok $title"
        tally 1 0
    else
        echo "FAILED $title"
        tally 0 1
    fi
}

# ---- builds: each once a run, whoever asks first

# Sanitizers stop at the first report; leaks count as one.
export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:handle_abort=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"
export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-14

build() { # NAME COMPILER MESON-OPTION...
    local name=$1 compiler=$2 folder=$out/$1 lock
    shift 2
    exec {lock}>"$folder.lock"
    flock "$lock" # it may be built ahead
    if [ ! -e "$folder.built" ] && [ ! -e "$folder.broken" ]; then
        if compile "$folder" "$compiler" "$@" >"$logs/build-$name.log" 2>&1; then touch "$folder.built"; else touch "$folder.broken"; fi
    fi
    exec {lock}>&-
    [ -e "$folder.built" ] && return 0
    tail -n 40 "$logs/build-$name.log"
    echo "build-test/$name did not build: build-test/logs/build-$name.log"
    return 1
}

compile() { # FOLDER COMPILER MESON-OPTION...
    local folder=$1 compiler=$2
    shift 2
    if [ ! -f "$folder/build.ninja" ]; then
        rm -rf "$folder"
        CC=$compiler meson setup "$folder" --werror "$@" || return 1
    fi
    ninja -j "$jobs" -C "$folder"
}

build_clang() { build clang clang-14 -Db_sanitize=address,undefined; }
build_gcc() { build gcc gcc --buildtype=release; }
build_tsan() { build tsan clang-14 -Db_sanitize=thread; }
build_crash() { build crash clang-14 -Dcrash_steps=true -Dtests=false; }
build_fuzz() { build fuzz clang-14 -Db_sanitize=address,undefined -Dfuzz=true; }

# For later suites, when no other process wants the processor: earlier ones wait more than they compute.
build_ahead() {
    renice -n 19 "$BASHPID"
    local name
    for name in threads:tsan crash:crash fuzz:fuzz; do
        ! selected "${name%:*}" || "build_${name#*:}"
    done
}

binary_of() { # NAME OF BUILD
    local path
    for path in "$out/$1/gatehouse" "$out/$1/src/app/gatehouse"; do
        [ -x "$path" ] && echo "$path" && return 0
    done
    echo "build-test/$1 holds no gatehouse" >&2
    return 1
}

meson_suite() { # BUILD SUITE
    local report=$out/$1/meson-logs/testlog.junit.xml
    rm -f "$report"
    meson test -C "$out/$1" --no-rebuild --num-processes "$jobs" --suite "$2" --print-errorlogs
    local status=$?
    [ ! -f "$report" ] || tally_junit "$report"
    return "$status"
}

# ---- the suites

suite_lint() {
    local lint
    for lint in floors sizes reasons citations firstline words threats fuzz; do
        try "$lint" python3 "tests/lint/$lint.py"
    done
    try format tests/lint/format.sh
    try "the lints can fail" python3 tests/lint/selftest.py
}

suite_clang() { try "builds with clang, warnings are errors, sanitizers on" build_clang; }
suite_gcc() {
    try "builds with gcc, warnings are errors" build_gcc
    [ -e "$out/gcc.built" ] && meson_suite gcc unit
}
suite_unit() { build_clang && meson_suite clang unit; }
suite_tables() { build_clang && meson_suite clang tables; }
suite_corpora() { build_clang && meson_suite clang corpora; }
suite_replay() { build_clang && meson_suite clang replay; }

# First the one that waits for Sentinels, then the largest. A mark is set in the file of the tests that have it.
files_with() { # MARK, or "not MARK"
    find tests/integration -maxdepth 1 -name 'test_*.py' -printf '%s %f\n' | sed 's/.* test_redis_failover/999999 test_redis_failover/' |
        sort -rn | cut -d ' ' -f 2 |
        while read -r file; do
            [[ $1 == not\ * ]] || grep -q "mark\.$1\b" "tests/integration/$file" || continue
            echo "$file"
        done
}

# A process per file, a few more side by side than there are processors, for most wait; each has loopback ports of its own (support/wait.py).
pytest_with() { # BUILD MARK
    local mark=$2 reports=$logs/$suite.reports file binary
    binary=$(binary_of "$1") || return 1
    rm -rf "$reports" && mkdir -p "$reports"
    files_with "$mark" |
        MARK=$mark REPORTS=$reports GATEHOUSE=$binary timeout 1200 xargs -P "$((jobs + (jobs + 1) / 2))" -I FILE bash -c \
            'python3 -B -m pytest -q -m "$MARK" -p no:cacheprovider --junitxml="$REPORTS/FILE.xml" tests/integration/FILE \
                >"$REPORTS/FILE.log" 2>&1 || [ $? -eq 5 ]' # 5: no test of the file is wanted
    local status=$?
    for file in "$reports"/*.log; do
        tail -n 1 "$file" | sed "s/^/$(basename "$file" .log): /"
        [ -f "${file%.log}.xml" ] || status=1
    done
    for file in "$reports"/*.xml; do
        tally_junit "$file" || cat "${file%.xml}.log"
    done
    if ! grep -qs '<testcase' "$reports"/*.xml; then
        echo "FAILED no test is marked: $mark"
        status=1
    fi
    return "$status"
}

suite_integration() {
    build_clang || return 1
    pytest_with clang "not boots"
    local status=$?
    GATEHOUSE_ISSUER=apart pytest_with clang apart || status=1
    GATEHOUSE_STORE=redis pytest_with clang redis && return "$status"
}
suite_apart() { build_clang && GATEHOUSE_ISSUER=apart pytest_with clang "not boots"; }

suite_redis() { build_clang && GATEHOUSE_STORE=redis pytest_with clang "not boots"; }

suite_crash() { build_crash && program_with crash tests/crash/steps.py; }

suite_threads() {
    build_tsan || return 1
    meson_suite tsan threads && pytest_with tsan threads
}

suite_systemd() { build_clang && pytest_with clang boots; }

program_with() { # BUILD PROGRAM: one that prints a line per case
    local log=$logs/$suite.lines binary
    binary=$(binary_of "$1") || return 1
    GATEHOUSE=$binary "$2" | tee "$log"
    local status=${PIPESTATUS[0]}
    tally_lines "$log"
    return "$status"
}

node_suite() { # PART... of tests/interop/run.sh, which installs the npm packages and runs them under the locked Node
    local log=$logs/$suite.lines binary
    build_clang && binary=$(binary_of clang) || return 1
    timeout 600 tests/interop/run.sh --install || return 1
    GATEHOUSE=$binary timeout 600 tests/interop/run.sh "$@" | tee "$log"
    local status=${PIPESTATUS[0]}
    tally_lines "$log"
    return "$status"
}

suite_interop() {
    node_suite matrix http-sse issuer bridge logout grants step-up pages sign-in
    local status=$?
    GATEHOUSE=$(binary_of clang) try "the quick start reaches a first protected call" deploy/quickstart.sh --once
    return "$status"
}
suite_conformance() { node_suite conformance authorization; }

# Rules for calls, filtered lists, header against body, step-up: in C, at a whole gateway, and with real clients.
suite_authz() {
    local report=$out/clang/meson-logs/testlog.junit.xml status=0 file
    build_clang || return 1
    rm -f "$report"
    meson test -C "$out/clang" --no-rebuild --num-processes "$jobs" --print-errorlogs core-test_call core-test_policy \
        core-table_calls core-table_challenge core-table_decide core-table_lists core-table_rpc core-corpus_rpc \
        conf-table_authz fuzz-arguments fuzz-lists fuzz-rpc || status=1
    tally_junit "$report" || status=1
    for file in calls lists rules rates step_up sessions http_sse; do
        GATEHOUSE=$(binary_of clang) python3 -B -m pytest -q -p no:cacheprovider --junitxml="$logs/authz.xml" \
            "tests/integration/test_$file.py" || status=1
        tally_junit "$logs/authz.xml" || status=1
    done
    node_suite step-up conformance && return "$status"
}

# ---- fuzzing

fuzz_targets() { find "$out/fuzz/tests/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x -printf '%f\n' | sed 's/^fuzz_//' | sort; }

fuzz_one() { # THING LIBFUZZER-OPTION...: findings are kept, with the corpus that grew, under build-test/
    local thing=$1 grown=$out/corpus/$1 found=$out/findings/$1
    shift
    mkdir -p "$grown" "$found"
    "$out/fuzz/tests/fuzz/fuzz_$thing" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$found/" "$@" \
        "$grown" "tests/fuzz/corpus/$thing" >"$logs/fuzz_$thing.log" 2>&1
}

fuzz_all() { # LIBFUZZER-OPTION...: a few targets side by side
    local thing pids=() things=()
    for thing in $(fuzz_targets); do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        fuzz_one "$thing" "$@" &
        pids+=($!) things+=("$thing")
    done
    local i figures
    for i in "${!pids[@]}"; do
        if wait "${pids[$i]}"; then tally 1 0; else
            tally 0 1
            tail -n 30 "$logs/fuzz_${things[$i]}.log"
            echo "FAILED ${things[$i]}: the input is in build-test/findings/${things[$i]}/"
        fi
        figures=$(grep -h 'number_of_executed_units' "$logs/fuzz_${things[$i]}.log" | grep -o '[0-9]*$')
        echo "${things[$i]}: ${figures:-0} executions"
    done
}

suite_fuzz() { build_fuzz && fuzz_all -max_total_time="${SECONDS_PER_TARGET:-5}"; }

# Lines of the parser that the seeds and the grown corpus reach: each target names its sources (tests/fuzz/coverage.py).
coverage_of() { # THING
    local thing=$1 profile=$out/coverage/$1.profraw program=$out/coverage/tests/fuzz/replay_$1 all=$out/coverage/corpus/$1
    rm -rf "$all" && mkdir -p "$all"
    find "tests/fuzz/corpus/$thing" "$out/corpus/$thing" -type f -exec cp --backup=numbered -t "$all" {} +
    LLVM_PROFILE_FILE=$profile "$program" "$all" >/dev/null 2>&1 || return 1
    llvm-profdata-14 merge -sparse "$profile" -o "$profile.data" || return 1
    printf '%s ' "$thing"
    llvm-cov-14 export -format=lcov -instr-profile "$profile.data" "$program" |
        python3 tests/fuzz/coverage.py "tests/fuzz/fuzz_$thing.c"
}

suite_fuzz-long() {
    build_fuzz && build coverage clang-14 -Dc_args='-fprofile-instr-generate -fcoverage-mapping' \
        -Dc_link_args='-fprofile-instr-generate' || return 1
    fuzz_all -runs="${RUNS_PER_TARGET:-10000000}"
    local thing
    for thing in $(fuzz_targets); do
        try "$thing reaches 90 % of its parser" coverage_of "$thing"
    done
}

# tests/fuzz/planted/THING.patch puts a bug into the parser; its target must find it. One copy of the sources serves all.
planted_found() { # THING
    local thing=$1 copy=$out/planted patch=$root/tests/fuzz/planted/$1.patch status=1
    patch -d "$copy" -p1 -s -f <"$patch" || return 1
    ninja -j "$jobs" -C "$copy/build" "tests/fuzz/fuzz_$thing" >/dev/null && planted_hunt "$thing" && status=0
    patch -d "$copy" -p1 -s -f -R <"$patch" && return "$status"
}

planted_hunt() { # THING: 120 seconds for it
    local thing=$1 copy=$out/planted log=$out/planted/$1.log started=$SECONDS
    mkdir -p "$copy/grown/$thing"
    "$copy/build/tests/fuzz/fuzz_$thing" -max_len=4096 -max_total_time=120 -artifact_prefix="$copy/grown/" \
        "$copy/grown/$thing" "tests/fuzz/corpus/$thing" >"$log" 2>&1 && return 1
    echo "$thing: after $((SECONDS - started)) s: $(grep -hE 'SUMMARY: |does not hold' "$log" | head -n 1)"
    grep -qE 'SUMMARY: (Address|Undefined|libFuzzer)' "$log"
}

suite_planted() {
    local thing copy=$out/planted
    build_fuzz || return 1
    rm -rf "$copy" && mkdir -p "$copy"
    find . -mindepth 1 -maxdepth 1 ! -name 'build*' ! -name .git -exec cp -a -t "$copy" {} + || return 1
    (cd "$copy" && CC=clang-14 meson setup build -Db_sanitize=address,undefined -Dfuzz=true >/dev/null) || return 1
    for thing in $(fuzz_targets); do
        try "$thing finds its planted bug" planted_found "$thing"
    done
}

# The other long suites are programs in tests/long/: GATEHOUSE names the binary, and they print a line per case.
suite_hook() { build_gcc && program_with gcc "$(find tests/long -maxdepth 1 -type f -name "$suite.*" -perm -u+x | head -n 1)"; }

# ---- the run

sum_passed=0 sum_failed=0 sum_skipped=0

failures_in() { # LOG: the cases by name, and what pytest's assertions say; the end of a log may speak of others
    grep -E '^(FAILED|not ok|E   )' "$1" | head -n 40
}

run_suite() {
    suite=$1
    local started=$SECONDS log=$logs/$1.log function=suite_$1 passed=0 failed=0 skipped=0 why='' status
    declare -F "$function" >/dev/null || function=suite_hook
    rm -f "$logs/$suite.count"
    printf '%-12s ' "$suite"
    ("$function") >"$log" 2>&1
    status=$?
    if [ -f "$logs/$suite.count" ]; then
        read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' "$logs/$suite.count")
    fi
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1 why=' (did not run to its end)'
    elif [ "$((passed + failed + skipped))" -eq 0 ]; then
        failed=1 why=' (ran nothing)'
    elif [ "$skipped" -gt 0 ] && { [ "${CI:-}" = true ] || [ -d ../shared ]; }; then
        failed=$((failed + skipped)) skipped=0 why=' (skipped what must run here)'
    fi
    printf '%5d passed, %d failed' "$passed" "$failed"
    [ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
    printf '%s in %d s\n' "$why" $((SECONDS - started))
    if [ "$failed" -gt 0 ]; then
        { tail -n 30 "$log" && failures_in "$log"; } | sed 's/^/    /'
        printf '    all of it: %s\n' "build-test/logs/$suite.log"
    fi
    sum_passed=$((sum_passed + passed)) sum_failed=$((sum_failed + failed)) sum_skipped=$((sum_skipped + skipped))
}

mkdir -p "$logs"
rm -f "$out"/*.built "$out"/*.broken
if ! set_up >"$logs/set-up.log" 2>&1; then
    tail -n 30 "$logs/set-up.log" >&2
    echo "the packages above could not be installed" >&2
    echo "0 passed, 1 failed"
    exit 1
fi
for name in "${suites[@]}"; do
    run_suite "$name"
    if [ "$name" = clang ]; then build_ahead >"$logs/build-ahead.log" 2>&1 & fi
done
wait
printf '%d passed, %d failed' "$sum_passed" "$sum_failed"
[ "$sum_skipped" -eq 0 ] || printf ', %d skipped' "$sum_skipped"
printf '\n'
[ "$sum_failed" -eq 0 ]
