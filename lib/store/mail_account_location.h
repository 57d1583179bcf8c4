/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_ACCOUNT_LOCATION_H
#define LIB_STORE_MAIL_ACCOUNT_LOCATION_H

/*
 * Where an account's mail is: "maildir:/path" with options behind further
 * colons, as Dovecot's mail_location has them. Pure.
 *
 * or "mbox:/path", where folders are files below the path.
 *
 *	LAYOUT=maildir++ | fs	how folders lie below the path
 *	INBOX=/path		the INBOX's directory, or its mbox; else the
 *				path itself
 *	CONTROL=/path		UID lists and subscriptions
 *	INDEX=/path		the index
 *	SUBSCRIPTIONS=name	of that file, else "subscriptions"
 *	UTF-8			names of directories are not in UTF-7
 *
 * Options that say where Dovecot keeps caches of its own, or how it lists
 * folders from them, are accepted and mean nothing here: VOLATILEDIR,
 * LISTINDEX, ITERINDEX, NO-NOSELECT, KEEP-NOSELECT, ALT, NOALT. Others are an
 * error, because mail would not be found or be filed elsewhere.
 */

#include "lib/base/buf.h"
#include "lib/base/why.h"
#include "lib/store/folder_name.h"

struct mail_location {
	bool mbox;
	char *path; /* without a slash at its end */
	char *inbox, *control, *index; /* NULL: below the path */
	char *subscriptions; /* a file name, or NULL */
	struct folder_naming naming; /* but for the separator */
};

/*
 * What a setting or an account's entry says, for this user: %u is the name, %n
 * and %d its parts before and behind the @, %h the home, %% a percent sign; ~
 * in front of a path, also of an option's, is the home. out may overflow.
 */
void mail_location_expand(const char *pattern, const char *user,
    const char *home, struct buf *out);
/* False with *why. */
bool mail_location_parse(const char *text, struct mail_location *out,
    struct why *why);
/*
 * For a process whose root directory the mailbox will be: that directory, and
 * the location as it is seen from there. False where INBOX= or CONTROL= are
 * outside of it: then *why names it. An index that is to be outside is kept
 * inside instead, because it can be made anew anywhere. The caller frees both
 * texts.
 */
bool mail_location_confine(const char *text, char **directory, char **inside,
    struct why *why);
/* The same for one that reads INBOX alone, which may then be outside. */
bool mail_location_confine_inbox(const char *text, char **directory,
    char **inside, struct why *why);
/*
 * The file that is INBOX, of "mbox:/path" (then it is all there is, and
 * mail_location_confine tells no directory but NULL) or
 * "mbox:/x:INBOX=/path"; NULL: neither. The caller's to free.
 */
char *mail_location_mbox(const char *text);
void mail_location_fini(struct mail_location *l);

#endif
