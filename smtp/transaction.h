/* SPDX-License-Identifier: ISC */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

/*
 * One mail transaction (RFC 5321 section 3.3; RFC 2033 for LMTP) for the
 * recipients of a delivery that are still pending.
 */

#include "smtp/delivery.h"
#include "smtp/peer.h"

enum transaction_result {
	TRANSACTION_ENDED, /* each recipient is answered, or noted for later */
	/*
	 * The connection, which had served before, was dead before it
	 * answered anything: nothing was noted, another one may be tried.
	 */
	TRANSACTION_STALE,
};

/* Leaves the peer clean for another transaction, or broken. */
enum transaction_result transaction_run(struct delivery *d, struct peer *p);

#endif
