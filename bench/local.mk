# SPDX-License-Identifier: ISC
EXTRA_DIST += bench/message_path bench/imap bench/imap_client.c \
	bench/measure.py bench/lookup_hop.py bench/frame/root.py \
	bench/peers/exim.py bench/peers/opensmtpd.py \
	bench/frame/__init__.py bench/frame/group.py bench/frame/measure.py \
	bench/frame/peer.py bench/groups/__init__.py bench/peers/__init__.py
