# SPDX-License-Identifier: ISC
EXTRA_DIST += bench/message_path bench/imap bench/imap_client.c \
	bench/measure.py bench/lookup_hop.py bench/frame/root.py
