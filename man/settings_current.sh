#!/bin/sh
# SPDX-License-Identifier: ISC
# man/main.cf.5 must be what the settings' rows say.
exec 2>&1
printed=$(mktemp) || exit 99
trap 'rm -f "$printed"' EXIT
./tools/settings_manual > "$printed" || exit 1
diff -u "${srcdir:-.}/man/main.cf.5" "$printed" || {
	echo "stale: run make man"
	exit 1
}
