/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_IDENTIFY_H
#define SMTPD_IDENTIFY_H

/*
 * Who the client is: by its socket, or by the word of a proxy in front of it
 * (smtpd_upstream_proxy_protocol); its name, and the lists of main.cf that it
 * is in.
 */

#include "smtpd/session.h"

/* False: a proxy's header was due and did not come; that was logged. */
bool identify_client(struct session *s, int fd);
/*
 * After XCLIENT has changed address or name: all that follows from them, but
 * for XFORWARD, which stays the right of the one who connected.
 */
void identify_again(struct session *s);

#endif
