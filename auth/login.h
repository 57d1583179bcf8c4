/* SPDX-License-Identifier: ISC */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

/*
 * One attempt to log in: the mechanism's dialogue, the account, the password,
 * and what else decides (networks, nologin). No messages: those are auth.c's.
 */

#include <stdbool.h>
#include <stdint.h>
#include "auth/accounts.h"
#include "lib/base/why.h"
#include "lib/sasl/exchange.h"

struct login;

/* What asks the system (auth-pam) about a password. */
typedef enum verdict login_pam_function(const char *pam_service,
    const char *user, const char *client, struct span password);

/* Once; as exchange_setup. */
bool login_setup(const char *mechanisms, struct accounts *accounts,
    login_pam_function *pam, struct buf *error);

/* NULL when the mechanism is not offered. */
struct login *login_new(const char *service, const char *mechanism,
    const char *client, const char *server);
void login_free(struct login **l);

/*
 * The client's words (NULL at the start: it sent none). EXCHANGE_DONE only
 * when everything is right and the account may log in from there.
 */
enum exchange_result
login_start(struct login *l, const struct span *initial, struct span *out);
enum exchange_result
login_step(struct login *l, struct span response, struct span *out);

const char *login_service(const struct login *l);
const char *login_client(const struct login *l);
/* Canonical; after a failure who it tried to be, maybe "". */
const char *login_user(const struct login *l);
const char *login_why(const struct login *l);

#endif
