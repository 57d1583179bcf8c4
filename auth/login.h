/* SPDX-License-Identifier: ISC */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

/*
 * One attempt to log in: the mechanism's dialogue, the account, the password,
 * and what else decides (networks, nologin, app passwords, masters). No
 * messages: those are auth.c's.
 *
 * Somebody in account_master_files may log in as another one, by name
 * ("bob*support", auth_master_user_separator) or by an authorization identity
 * ("bob" beside the name "support"). Then the password is looked for among the
 * masters alone, and both names are known from there on. Not for SMTP: what a
 * user may send as hangs on the login, and mail from the user's address that
 * somebody else sent could not be told from the user's own.
 */

#include <stdbool.h>
#include <stdint.h>
#include "auth/accounts.h"
#include "lib/base/why.h"
#include "lib/sasl/exchange.h"

struct app_use;
struct login;

/* What asks the system (auth-pam) about a password. */
typedef enum verdict login_pam_function(const char *pam_service,
    const char *user, const char *client, struct span password);

struct login_config {
	const struct auth_params *params; /* lives as long as the process */
	struct accounts *accounts;
	login_pam_function *pam;
	struct app_use *use; /* NULL: uses of app passwords are not noted */
	bool app_file_named; /* account_app_password_file is set */
	bool plaintext; /* tokens may be sent without TLS */
};

/* Once; before confinement. False and *error as exchange_setup. */
bool login_setup(const struct login_config *config, struct buf *error);

/* "PLAIN LOGIN", in the order of the setting; valid until the next call. */
const char *login_mechanisms(bool tls);

/* NULL when the mechanism is not offered. */
struct login *login_new(const char *service, const char *mechanism,
    const char *client, const char *server, bool tls);
void login_free(struct login **l);

/*
 * The client's words (NULL at the start: it sent none). EXCHANGE_DONE only
 * when everything is right and the account may log in from there.
 * EXCHANGE_ASKS: see login_question.
 */
enum exchange_result
login_start(struct login *l, const struct span *initial, struct span *out);
enum exchange_result
login_step(struct login *l, struct span response, struct span *out);

/* EXCHANGE_ASKS: what about; lives as long as the login. */
struct login_question {
	const char *user; /* as claimed; "" */
	struct span token;
};

void login_question(const struct login *l, struct login_question *out);
/*
 * The answer: OK and whose the token is until when (seconds since 1970, 0: not
 * known); NEVER and a status for the client; LATER. "text": for the log.
 */
struct login_answer {
	enum verdict verdict;
	const char *user;
	uint64_t expires;
	const char *status;
	const char *text;
};

enum exchange_result login_answered(struct login *l,
    const struct login_answer *answer, struct span *out);
/*
 * Behind EXCHANGE_MORE: it has failed, and the client is being told why; what
 * it has still to say changes nothing.
 */
bool login_is_lost(const struct login *l);
/*
 * It has asked the system, which counts what it is asked: the same must not be
 * asked again by another process. Accounts were as they are when it did.
 */
bool login_system_asked(const struct login *l);

const char *login_service(const struct login *l);
const char *login_client(const struct login *l);
/* Canonical; after a failure who it tried to be, maybe "". */
const char *login_user(const struct login *l);
/* Who acts for that user; "" when it is the user. */
const char *login_master(const struct login *l);
/*
 * What log lines say behind the user's name: ", master=<support>" or
 * ", app_password=<phone>"; mostly "".
 */
enum { LOGIN_BEHIND_MAX = 288 };
const char *login_behind(const struct login *l);
const char *login_why(const struct login *l);

#endif
