/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_URL_H
#define LIB_IMAP_IMAP_URL_H

/*
 * URLs that name a message, or a part of one, of the session's own account
 * (RFC 5092; those that CATENATE takes, RFC 4469 section 3):
 *
 *	/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *	;UID=20/;SECTION=HEADER		of the selected mailbox
 *
 * Other servers, other users, searches and URLAUTH are refused.
 */

#include "lib/base/buf.h"

struct imap_url {
	struct buf mailbox; /* UTF-8, decoded; empty: the selected one */
	uint32_t uidvalidity; /* 0: not given */
	uint32_t uid;
	struct buf section; /* as in BODY[...], decoded; empty: all */
	bool partial;
	uint64_t offset;
	uint64_t length; /* UINT64_MAX: to the end */
};

/*
 * False for what is no such URL. *out is to be released in either case. The
 * mailbox name is not judged, but for NUL.
 */
bool imap_url_parse(struct span text, struct imap_url *out);
void imap_url_fini(struct imap_url *u);

#endif
