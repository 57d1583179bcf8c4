/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_ACCOUNT_INTERNAL_H
#define LIB_STORE_MAIL_ACCOUNT_INTERNAL_H

/*
 * What an account is made of, for lib/store itself: mail_account*.c (the tree
 * of folders) and mailbox*.c (what is in one) share it.
 */

#include "lib/store/mail_account.h"
#include "lib/store/mail_index.h"

struct mailbox_folder; /* mailbox_internal.h */
struct mail_tree; /* mail_account.c: layout, subscriptions, names */
struct mailbox_watch;
struct mailbox_kind; /* mailbox_kind.h */

struct folder_claims;

struct mail_account {
	const struct mailbox_kind *kind; /* of all of its folders */
	int root; /* the Maildir's root directory; of mbox files, ours there */
	char separator;
	char *prefix; /* of names that are told, or NULL */
	bool flush_flags;
	const struct uidl_format *uidl; /* NULL: ids are names */
	uint64_t quota_bytes;
	uint64_t quota_messages;
	struct mail_index *index; /* open as long as the account is */
	struct mailbox_folder *folders; /* that are open; mailbox.c's */
	struct mailbox_watch *watch; /* NULL until asked for; mailbox.c's */
	struct mail_tree *tree;
	struct uid_set full; /* folders that were logged: mailbox_keywords.c */
	struct {
		int64_t logged; /* when; 0: never */
		unsigned long left_out;
	} no_room[8]; /* by what was told */
	bool failed; /* a flush did: nothing more is told */
	struct mail_mbox_settings mbox;
	struct folder_claims *claims; /* mailbox_state.c's */
	uint64_t closings; /* of folders, counted */
	uint64_t changes; /* of folders, by this process or seen by it */
};

/*
 * The folder's directory, opened O_RDONLY | O_DIRECTORY | O_CLOEXEC (the one
 * that holds cur, new, tmp and the state file). *canonical is the name as it
 * is to be shown, the caller's to free. MAIL_NONEXISTENT, MAIL_BAD_NAME,
 * MAIL_FAILED.
 */
enum mail_result mail_account_open_folder(struct mail_account *a,
    struct span name, int *directory, char **canonical, struct why *why);
/*
 * Where Dovecot's lists of that folder are, with CONTROL= in the location; -1
 * without, *result then MAIL_OK: they are in the folder's own.
 */
int mail_account_open_control(struct mail_account *a, const char *canonical,
    enum mail_result *result, struct why *why);

/* To mailbox.c, by the tree: handles that are open learn of it. */
/* With what is below it. */
void mailbox_folder_renamed(struct mail_account *a, const char *from,
    const char *to);
struct stat;
/*
 * The one with this directory: its handles say MAIL_NONEXISTENT from now on;
 * its rows go.
 */
void
mailbox_folder_deleted(struct mail_account *a, const struct stat *directory);
/* Ends what is open, writes what is only in memory: before the index goes. */
void mailbox_account_closing(struct mail_account *a);

/*
 * A new folder's UIDVALIDITY: never one that was given before in this
 * account, as far as is known; the time in most cases.
 */
uint32_t mail_account_new_uidvalidity(struct mail_account *a);

/* Of its quota, without usage. */
static inline struct mail_quota
mail_account_limits(const struct mail_account *a)
{
	return (struct mail_quota){ .bytes_limit = a->quota_bytes,
		.messages_limit = a->quota_messages };
}

#endif
