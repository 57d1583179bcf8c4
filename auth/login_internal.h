/* SPDX-License-Identifier: ISC */
#ifndef AUTH_LOGIN_INTERNAL_H
#define AUTH_LOGIN_INTERNAL_H

/* Between the files of a login: passwords (login.c) and tokens. */

#include "auth/app_password.h"
#include "auth/login.h"

struct login_bearer;

struct login {
	struct exchange *exchange; /* or */
	struct login_bearer *bearer;
	bool system_asked;
	char service[33];
	char client[65];
	char user[EXCHANGE_USER_MAX];
	char master[EXCHANGE_USER_MAX];
	char label[APP_PASSWORD_LABEL_MAX + 1]; /* of the app password */
	char behind[LOGIN_BEHIND_MAX];
	char why[256];
};

enum login_names { LOGIN_ACCOUNTS, LOGIN_MASTERS };

/*
 * The form of a name; CHECK_WRONG when it can be none, or there are no masters;
 * CHECK_LATER when whose it is cannot be told now.
 */
enum exchange_check login_canonical(enum login_names names, struct span given,
    char out[EXCHANGE_USER_MAX]);
/* It has been proven who it is (user, master): does the rest allow it? */
enum exchange_result login_admit(struct login *l);
enum exchange_result login_refuse(struct login *l, const char *why);
/* The accounts are not to be had. */
enum exchange_result login_later(struct login *l);
void login_note_behind(struct login *l);

void login_bearer_setup(const struct auth_params *p, bool plaintext);
/* " OAUTHBEARER XOAUTH2", or less. */
void login_bearer_names(bool tls, struct buf *out);
/* NULL when that is none of its mechanisms, or is not offered. */
struct login_bearer *login_bearer_new(const char *mechanism, bool tls);
void login_bearer_free(struct login_bearer **b);
enum exchange_result
login_bearer_step(struct login *l, const struct span *words, struct span *out);

#endif
