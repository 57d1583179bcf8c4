# SPDX-License-Identifier: ISC
# imapd/imapd and imapd/imapd-session are built here.
EXTRA_DIST += imapd/verbs.def imapd/capabilities.def imapd/session.h

# commands that change messages
imapd_changing = imapd/changing.h imapd/store_flags.c imapd/expunge.c \
	imapd/copy.c imapd/condstore.c imapd/append.h imapd/append.c
EXTRA_DIST += $(imapd_changing)
