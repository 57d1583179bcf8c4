/* SPDX-License-Identifier: ISC */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

/*
 * All account sources in a row (setting account_files), and what an account
 * comes to with the defaults of the settings. For auth and auth-session.
 */

#include <stdbool.h>
#include <stdint.h>
#include "auth/passwd_file.h"
#include "lib/base/buf.h"

#define PARAM_GROUP auth
#define PARAM_DEF "auth/params.def"
#include "lib/conf/param.h"

struct accounts;

enum accounts_result {
	ACCOUNT_FOUND,
	ACCOUNT_NONE,
	ACCOUNT_LATER, /* a source cannot be read */
};

struct account {
	const char *user; /* canonical: as the source has it, lower case */
	const char *password; /* stored; "" for system users */
	const char *allow_nets;
	bool nologin;
	const char *pam_service; /* NULL unless a system user */
	/* as in the source, maybe ""; see accounts_mailbox */
	const char *uid;
	const char *gid;
	const char *home;
	const char *mail;
	const char *quota; /* lib/store/quota_rule.h */
};

struct mailbox {
	uint64_t uid;
	uint64_t gid;
	struct buf home;
	struct buf mail; /* "maildir:/path" */
	uint64_t quota_bytes; /* 0: any amount */
	uint64_t quota_messages; /* 0: any number */
};

/*
 * Mail of users of this system whose place account_mail does not say: where
 * local delivers (home_mailbox, mail_spool_directory).
 */
void accounts_system_mail(struct accounts *a, const char *home_mailbox,
    const char *spool);

/*
 * Once, before accounts_new: where a table "pgsql:name" finds its settings,
 * and how long its server's name is looked for. It has to live on.
 */
struct conf;
void accounts_tables(struct conf *c);

/* Null when a source in the setting is not understood: *error. */
struct accounts *accounts_new(const struct auth_params *p, struct buf *error);
void accounts_free(struct accounts **a);
/*
 * The account that somebody means by a name: as it is, with account_domain
 * added or taken off. Texts live until the next call, or until this task waits.
 */
enum accounts_result
accounts_find(struct accounts *a, struct span name, struct account *out);
/* What a wrong name shall cost: some stored password, or "". */
const char *accounts_sample(struct accounts *a);
/* The first pam source's service, or NULL. */
const char *accounts_pam(const struct accounts *a);
/*
 * Owner and place of its mail, with the defaults of the settings. False with
 * a line in *error when the entry or the settings do not say.
 */
bool accounts_mailbox(struct accounts *a, const struct account *account,
    struct mailbox *out, struct buf *error);
void mailbox_fini(struct mailbox *m);

#endif
