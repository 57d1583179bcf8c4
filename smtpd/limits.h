/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIMITS_H
#define SMTPD_LIMITS_H

/*
 * Connections, messages, recipients, AUTH commands and TLS handshakes per
 * client, over all processes of this service: the work of Postfix's anvil.
 */

#include "lib/service/client_counts.h"
#include "lib/service/service.h"

struct session;

enum limit_event {
	LIMIT_CONNECTION,
	LIMIT_MESSAGE,
	LIMIT_RECIPIENT,
	LIMIT_AUTH,
	LIMIT_TLS,
};

enum limits_verdict { LIMITS_OK, LIMITS_COUNT, LIMITS_RATE };

/* Before confinement. Without the file, the process counts alone. */
void limits_open(const char *directory, const char *service);

/* Counts the connection; limits_disconnect must follow. */
enum limits_verdict limits_connect(struct session *s);
void limits_disconnect(struct session *s);
/* Counts an event; false: that was one too many in anvil_rate_time_unit. */
bool limits_allow(struct session *s, enum limit_event event);

#endif
