/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_WHOSE_HEADERS_H
#define SMTPD_WHOSE_HEADERS_H

/* local_header_rewrite_clients: whose headers we complete as our own. */

#include "lib/table/table.h"

struct session;

/*
 * Is this client among them? May wait for lookup: to be asked at MAIL, before
 * anything is held for the message. TABLE_AGAIN and TABLE_BROKEN: it cannot be
 * told, with a log line; nobody knows then what the message should look like.
 */
enum table_result whose_headers_ours(struct session *s);

#endif
