/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_ACCOUNT_H
#define LIB_STORE_MAIL_ACCOUNT_H

/*
 * One person's mail: a tree of folders and the index that belongs to it.
 * Runs with the rights of the mailbox's owner. What is in a folder:
 * mailbox.h.
 *
 * What is authoritative is on disk in the form that other programs know: the
 * messages, their flags (in file names), their UIDs (in file names or in
 * dovecot-uidlist), UIDVALIDITY and a bound for UIDNEXT (in the folder's
 * state file), keywords, subscriptions. The index holds copies of that, and
 * what can be computed again; modification sequences alone are born there,
 * and after its loss begin anew above all that were ever announced. So an
 * index that is lost, damaged, or older than the mail after a power cut is
 * made anew. doc/STORE.md has the formats and the invariants.
 *
 * Folder names here are UTF-8 (NFC) with the account's separator, without a
 * prefix; "INBOX" is always written so. What cannot be a name is
 * MAIL_BAD_NAME and never reaches a path: one encoder makes names of
 * directories.
 *
 * Not for use by several threads. Nothing here waits for other tasks; what
 * must be flushed to disk blocks the process for that long.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/why.h"

struct mail_account;
struct uidl_format; /* uidl_format.h */

enum mail_result {
	MAIL_OK,
	MAIL_NONEXISTENT, /* there is no such folder */
	MAIL_EXISTS, /* there is already */
	MAIL_BAD_NAME, /* this can be no folder's name */
	MAIL_HAS_CHILDREN, /* and cannot be removed because of that */
	MAIL_NOT_ALLOWED, /* INBOX cannot be deleted, ...: *why says */
	MAIL_NO_RIGHT, /* the folder's list of rights is against it */
	MAIL_GONE, /* this message is no more */
	MAIL_OVER_QUOTA,
	MAIL_LIMIT, /* of what we support: keywords, folders, sizes */
	MAIL_READ_ONLY,
	MAIL_IN_USE, /* locked by somebody else for too long */
	MAIL_NO_ROOM, /* on the disk: nothing was done; reading goes on */
	MAIL_FAILED, /* *why says: no rights, ... */
};

/* What a system call's failure comes to. */
enum mail_result mail_result_of(int error);

/* RFC 6154, RFC 8457. */
enum special_use {
	SPECIAL_ALL = 1 << 0,
	SPECIAL_ARCHIVE = 1 << 1,
	SPECIAL_DRAFTS = 1 << 2,
	SPECIAL_FLAGGED = 1 << 3,
	SPECIAL_IMPORTANT = 1 << 4,
	SPECIAL_JUNK = 1 << 5,
	SPECIAL_SENT = 1 << 6,
	SPECIAL_TRASH = 1 << 7,
};

/* A folder that a new account gets, subscribed. */
struct special_folder {
	const char *name;
	unsigned int use;
};

struct mbox_access; /* mbox_store.h */

/* Of accounts whose folders are mbox files. */
struct mail_mbox_settings {
	unsigned int locks; /* of mbox_lock.h */
	int64_t stale_s; /* age at which others' lock files go */
	/* INBOX where another process opens it; must outlive the account */
	struct mbox_access *inbox;
	bool alone; /* INBOX is all there is */
};

struct mail_account_settings {
	/*
	 * "maildir:/path", with Dovecot's options behind further colons:
	 * LAYOUT=fs, INBOX=/path, CONTROL=, INDEX= (where that file may be
	 * elsewhere), SUBSCRIPTIONS=; unknown ones are an error that names
	 * them. "mbox:/path:INBOX=/path". Relative paths are relative to the
	 * working directory.
	 */
	const char *location;
	/*
	 * Relative paths begin in this directory instead, which stays the
	 * caller's, and open for as long as the account.
	 */
	bool within;
	int directory;
	/* NULL, or what mailbox_name puts before names: "shared/bob/" */
	const char *prefix;
	char separator; /* '/' or '.' */
	const char *shared; /* NULL, or the level that others' folders are in */
	const struct special_folder *special; /* name NULL at the end */
	uint64_t quota_bytes; /* 0: none */
	uint64_t quota_messages; /* 0: none */
	/*
	 * Flags are flushed to the disk before they are announced, as
	 * messages and UIDs always are. Without it a power cut may lose those
	 * of the last seconds; a killed process never does. Where that may
	 * lose messages (lib/base/file_system.h), they are flushed all the
	 * same.
	 */
	bool flush_flags;
	/*
	 * The form of POP3's unique ids, which are written to dovecot-uidlist
	 * where there is one; NULL: they are made of names.
	 */
	const struct uidl_format *uidl;
	struct mail_mbox_settings mbox;
};

/*
 * Reads what lies outside of the mail (which boot of the machine this is):
 * once, before the process is confined. Without it an index that was in use
 * when its last process died is not trusted.
 */
void mail_account_prepare(void);

/* Makes what is missing: a new account is an INBOX and the special folders. */
enum mail_result mail_account_open(const struct mail_account_settings *settings,
    struct mail_account **out, struct why *why);
void mail_account_close(struct mail_account **a); /* NULL is fine */
char mail_account_separator(const struct mail_account *a);

/*
 * Makes durable what was changed and is not yet, with as few flushes as
 * possible; free when there is nothing. To be called before anything is told
 * to a client; changes of several commands, and of several connections, then
 * share a flush.
 */
enum mail_result mail_account_settle(struct mail_account *a, struct why *why);
/*
 * Has a flush failed? Then what is on disk is not known: settling, looking
 * and changing are MAIL_FAILED until the account is closed, and opened again.
 */
bool mail_account_failed(const struct mail_account *a);
/*
 * A full disk would be told with each command: the log hears of each "what"
 * once a minute. True: now; *left_out lines were not written since the last.
 */
bool mail_account_log_full(struct mail_account *a, const char *what,
    unsigned long *left_out);

/* A folder in a list. */
struct mail_folder {
	const char *name;
	bool exists; /* else it is only subscribed, or only has children */
	bool selectable; /* else \Noselect: a parent that is no folder */
	bool has_children;
	bool subscribed;
	unsigned int special; /* enum special_use */
};

/* False ends the walk. */
typedef bool mail_folder_visit(void *with, const struct mail_folder *f);

/*
 * All folders, parents without a folder of their own, and subscribed names
 * that do not exist (any more), sorted by name, INBOX first. The visit may
 * wait: it works on a list that was taken before.
 */
enum mail_result mail_folder_each(struct mail_account *a,
    mail_folder_visit *visit, void *with, struct why *why);
/* MAIL_BAD_NAME, MAIL_NONEXISTENT or MAIL_OK; "out" may be NULL, its name is
 * the account's until the next call. */
enum mail_result mail_folder_find(struct mail_account *a, struct span name,
    struct mail_folder *out);
/*
 * Parents are made too, as real folders (clients such as Outlook file mail
 * into them). A name that ends with the separator is taken without it.
 * A special use that another folder has is MAIL_NOT_ALLOWED.
 */
enum mail_result mail_folder_create(struct mail_account *a, struct span name,
    unsigned int special, struct why *why);
/*
 * Messages and all. One that has children becomes \Noselect (RFC 9051 section
 * 6.3.5). The name, should it come again, gets another UIDVALIDITY.
 */
enum mail_result
mail_folder_delete(struct mail_account *a, struct span name, struct why *why);
/*
 * With all children, their UIDs and their UIDVALIDITY. INBOX: its messages
 * move to a new folder, and it stays (RFC 9051 section 6.3.6); in an account
 * with a prefix, which is not the user's own: MAIL_NOT_ALLOWED.
 */
enum mail_result mail_folder_rename(struct mail_account *a, struct span from,
    struct span to, struct why *why);
/*
 * The same for those who must ask: "may" looks at the folder, whose directory
 * is open, when no other process of ours can change the tree any more. What it
 * says other than MAIL_OK is the result. If another folder has the name behind
 * that, none is touched: MAIL_NONEXISTENT.
 */
struct mail_permit {
	enum mail_result (*may)(void *with, int directory, struct why *why);
	void *with;
};

enum mail_result mail_folder_delete_if(struct mail_account *a, struct span name,
    const struct mail_permit *permit, struct why *why);
enum mail_result mail_folder_rename_if(struct mail_account *a, struct span from,
    struct span to, const struct mail_permit *permit, struct why *why);
/* The name need not exist. */
enum mail_result mail_folder_subscribe(struct mail_account *a, struct span name,
    bool subscribed, struct why *why);

/* Quota of the whole account; 0 where there is no limit. */
struct mail_quota {
	uint64_t bytes, bytes_limit;
	uint64_t messages, messages_limit;
};

enum mail_result mail_account_quota(struct mail_account *a,
    struct mail_quota *out, struct why *why);

/*
 * Entries of RFC 5464 and other small texts: "folder" "" is the server's.
 * "entry" e.g. "/private/comment", lower case. Kept durably, follow renames,
 * go with the folder. An empty value with p NULL removes.
 */
typedef bool
mail_metadata_visit(void *with, const char *entry, struct span value);
enum mail_result mail_metadata_set(struct mail_account *a, struct span folder,
    const char *entry, struct span value, struct why *why);
enum mail_result mail_metadata_each(struct mail_account *a, struct span folder,
    mail_metadata_visit *visit, void *with, struct why *why);

/*
 * A descriptor that becomes readable when something happened in one of the
 * watched folders (mailbox_watch), or to the tree when watched with
 * mail_account_watch_tree; -1: cannot be had, look now and then. Belongs to
 * the account. mail_account_heed reads what came and marks the folders, whose
 * next mailbox_sync looks at the disk.
 */
/*
 * What sessions of this process did, or took up, need not be told by the
 * descriptor: mail_account_changes counts it.
 */
uint64_t mail_account_changes(const struct mail_account *a);
int mail_account_watch_fd(struct mail_account *a);
void mail_account_heed(struct mail_account *a);
/*
 * From now on it tells of folders that come or go, and of subscriptions, too.
 * False: not in this layout (the directories of LAYOUT=fs are below each
 * other), or there is no watch: look now and then. A directory may be seen
 * before it has become a folder.
 */
bool mail_account_watch_tree(struct mail_account *a);
/* How often something was seen to happen there, by whomever. */
uint64_t mail_account_tree_changes(const struct mail_account *a);

#endif
