# SPDX-License-Identifier: ISC
# imapd/imapd and imapd/imapd-session are built here.
EXTRA_DIST += imapd/verbs.def imapd/capabilities.def imapd/session.h
