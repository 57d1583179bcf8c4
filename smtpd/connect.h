/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CONNECT_H
#define SMTPD_CONNECT_H

/* The two ends of a session: who is it, the greeting; and the farewell. */

#include "smtpd/session.h"

/* False: the client was turned away and nothing remains to be said. */
bool connect_begin(struct session *s, const struct service *service, int fd);
/*
 * XCLIENT has said who the client is: limits and lists are the new one's, who
 * is greeted again. False: it was turned away.
 */
bool connect_again(struct session *s);
void connect_end(struct session *s);
/*
 * May this client begin another TLS session? If not, that is logged; to be
 * asked before it is told to begin.
 */
bool connect_tls_allowed(struct session *s);
/* The TLS handshake, in wrapper mode and behind STARTTLS. */
bool connect_tls(struct session *s);

#endif
