#!/bin/sh
# SPDX-License-Identifier: ISC
# doc/PROTOCOLS.md must be what the tables say.
exec 2>&1
printed=$(mktemp) || exit 99
trap 'rm -f "$printed"' EXIT
./doc/protocols_print > "$printed" || exit 1
diff -u "${srcdir:-.}/doc/PROTOCOLS.md" "$printed" || {
	echo "stale: run doc/protocols_print > doc/PROTOCOLS.md"
	exit 1
}
