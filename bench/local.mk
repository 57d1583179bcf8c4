# SPDX-License-Identifier: ISC
EXTRA_DIST += bench/message_path
