/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LOGIN_H
#define SMTPD_LOGIN_H

#include "smtpd/session.h"

/* May this client log in now? */
bool login_offered(const struct session *s);
/*
 * Names of mechanisms for EHLO; empty when AUTH is not offered. While auth is
 * silent they are the last ones that it said. False: it never said any.
 */
bool login_mechanisms(struct session *s, char *names, size_t room);
/* Forgets who logged in. */
void login_forget(struct session *s);

#endif
