/* SPDX-License-Identifier: ISC */
#ifndef AUTH_PASSWD_FILE_H
#define AUTH_PASSWD_FILE_H

/*
 * One file of accounts, in the format of Dovecot's passwd-file:
 *	user:{SCHEME}password:uid:gid:gecos:home:shell:extra fields
 * Everything behind the password may be missing. Extra fields are name=value
 * separated by blanks; those understood are userdb_mail (or mail),
 * userdb_quota_rule (or quota_rule), allow_nets, nologin; others are kept out
 * without a word.
 *
 * Names are folded to lower case. The file is held in memory, and read anew
 * within a second of a change; while a new version cannot be read, the last
 * one that could be read stays in use, unless the file is gone.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/mem.h"
#include "lib/base/span.h"

enum { ACCOUNT_NAME_MAX = 255, PASSWD_FILE_MAX = 256 << 20 };

/* Texts are never NULL; "" where the line had nothing. */
struct passwd_entry {
	const char *user;
	const char *password;
	const char *uid;
	const char *gid;
	const char *home;
	const char *mail;
	const char
	    *quota; /* lib/store/quota_rule.h; always one that is valid */
	const char *allow_nets;
	bool nologin;
};

/*
 * One line, without its end; texts are made in the arena. False for blank
 * lines and comments (*error stays NULL), and for bad ones (*error says why).
 * True with *error: one of its words was not understood, and is left out.
 */
bool passwd_line_parse(struct span line, struct arena *a,
    struct passwd_entry *out, const char **error);

/*
 * One name=value that an entry may have behind its home. A reason, or NULL;
 * names that mean nothing here are left out without one.
 */
const char *passwd_word(struct span name, struct span value, struct arena *a,
    struct passwd_entry *out);

/*
 * What a table has for an account: the stored password alone, or
 *	uid=5000,gid=5000,home=/mail/bob,quota_rule=*:storage=1G,password={...}
 * Names are uid, gid, home, mail, quota_rule (userdb_ may stand before those),
 * allow_nets, nologin and password; each may be missing, and password comes
 * last: whatever is behind it belongs to it. *error as of a line. The text has
 * no NUL; "user" is kept as it is.
 */
void account_text_parse(const char *user, struct span text, struct arena *a,
    struct passwd_entry *out, const char **error);

/* Letters, digits and ._-@+=&~#' in ASCII, 1 to 255 of them, no "..". */
bool account_name_valid(struct span name);

struct passwd_file;

enum passwd_result { PASSWD_FOUND, PASSWD_NONE, PASSWD_UNREADABLE };

struct passwd_file *passwd_file_new(const char *path);
void passwd_file_free(struct passwd_file **f);
/* The entry lives until the next call. The name is in lower case. */
enum passwd_result passwd_file_find(struct passwd_file *f, const char *name,
    const struct passwd_entry **entry);
/*
 * Some entry's stored password, for work that an unknown user must cost as
 * well; NULL when there is none.
 */
const char *passwd_file_sample(struct passwd_file *f);

#endif
