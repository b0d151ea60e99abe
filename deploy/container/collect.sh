#!/bin/sh
# Puts BINARY and what it needs to run into the folder IMAGE, as it will lie in an image of its own.
set -eu

binary=$1 image=$2 user=65532

install -D -m 755 "$binary" "$image/usr/local/bin/gatehouse"
# "name => /path (address)", and the loader as "/path (address)"
ldd "$binary" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    install -D -m 755 "$library" "$image$library"
done
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt"
install -D -m 644 /dev/null "$image/etc/ssl/openssl.cnf"
echo "root:x:0:0::/:/nowhere
gatehouse:x:$user:$user::/:/nowhere" >"$image/etc/passwd"
echo "root:x:0:
gatehouse:x:$user:" >"$image/etc/group"
echo "hosts: files dns" >"$image/etc/nsswitch.conf"
# Settings and secrets are mounted here; the store lies there.
install -d -m 755 "$image/etc/gatehouse" "$image/var/lib"
install -d -m 700 -o "$user" -g "$user" "$image/var/lib/gatehouse"
