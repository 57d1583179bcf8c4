/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_RECEIVE_OVERRIDE_H
#define LIB_CONF_RECEIVE_OVERRIDE_H

/*
 * receive_override_options: what smtpd or pickup leaves out, for mail that
 * comes back from a content filter or goes to one.
 */

#include "lib/conf/conf.h"

enum receive_override {
	RECEIVE_UNKNOWN_RECIPIENTS = 1, /* no_unknown_recipient_checks */
	RECEIVE_UNMAPPED = 2, /* no_address_mappings */
	RECEIVE_UNCHECKED = 4, /* no_header_body_checks */
	RECEIVE_UNFILTERED = 8, /* no_milters; there are none yet */
};

/* Its words as bits; one that is none of them is a line in *error. */
unsigned int receive_override_parse(const char *list, struct buf *error);
/* The same for who checks settings: lines with the place of the mistake. */
void receive_override_check(struct conf *c, struct buf *errors);

#endif
