#!/bin/sh
# SPDX-License-Identifier: ISC
# Makes ./configure from configure.ac. Needs autoconf, automake, pkg-config.
cd "$(dirname "$0")" && exec autoreconf --install --force --warnings=none
