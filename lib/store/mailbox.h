/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_H
#define LIB_STORE_MAILBOX_H

/*
 * A folder that is open: its messages by UID, their flags, texts, changes.
 * Message numbers are not known here: mailbox_view.h has them.
 *
 * A mailbox is a handle without a memory of its own that would grow with it:
 * what it tells comes from the account's index. Several handles of one
 * folder are fine. Folders that are deleted or renamed meanwhile: calls say
 * MAIL_NONEXISTENT after a deletion, and go on after a rename.
 */

#include "lib/store/mail_account.h"
#include "lib/store/store.h"
#include "lib/store/uid_set.h"

struct mailbox;

enum mail_flag {
	MAIL_ANSWERED = 1 << 0,
	MAIL_FLAGGED = 1 << 1,
	MAIL_DELETED = 1 << 2,
	MAIL_SEEN = 1 << 3,
	MAIL_DRAFT = 1 << 4,
	MAIL_SYSTEM_FLAGS = (1 << 5) - 1,
};

enum {
	/* of one folder; the first 26 are letters in file names, as Dovecot
	 * has them */
	MAIL_KEYWORDS_MAX = 64,
	MAIL_KEYWORD_MAX = 128, /* bytes of a name */
	MAIL_ID_MAX = 40, /* with its NUL: RFC 8474 ids */
};

/*
 * Opens it and looks at the disk once (mailbox_sync). The handle is freed by
 * mailbox_close, before its account is.
 */
enum mail_result mailbox_open(struct mail_account *a, struct span name,
    struct mailbox **out, struct why *why);
void mailbox_close(struct mailbox **m);
struct mail_account *mailbox_account(const struct mailbox *m);
/* Follows renames by this process. With the account's prefix. */
const char *mailbox_name(const struct mailbox *m);
/* And those by others: looks whether it is still there, in the tree if not. */
const char *mailbox_name_now(struct mailbox *m);
/* As far as it is known: this process has done it, or has seen it. */
bool mailbox_is_deleted(const struct mailbox *m);

/*
 * Takes up what others did: deliveries in new/, messages that appeared,
 * changed flags or went. Cheap when nothing happened: two stat(2), or none
 * where a watch is known to be quiet. UIDs given here are durable when it
 * returns.
 */
enum mail_result mailbox_sync(struct mailbox *m, struct why *why);
/* From now on mail_account_watch_fd tells of changes to it. */
void mailbox_watch(struct mailbox *m, bool on);

/*
 * For somebody who will watch it in our place, when nobody has it open: its
 * directories, or its file (the caller's to close), and their times of change
 * in nanoseconds (st_ctim: anybody may set st_mtim), to be taken before the
 * last look at what is in them. "rights": where its list of rights is, too. How
 * many: 0 when that cannot be told now (they have changed this very moment),
 * or where there is nothing (an mbox that nobody has written to).
 */
struct mailbox_point {
	int fd;
	uint64_t changed;
};

enum { MAILBOX_POINTS = 3 };

size_t mailbox_points(struct mailbox *m, bool rights,
    struct mailbox_point out[MAILBOX_POINTS]);
/*
 * The same of what mail_account_watch_tree watches: folders that come or go,
 * and subscriptions.
 */
size_t mail_account_points(struct mail_account *a,
    struct mailbox_point out[MAILBOX_POINTS]);

struct mailbox_status {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq; /* never 0 */
	uint32_t messages;
	uint32_t unseen; /* how many lack \Seen */
	uint32_t first_unseen; /* UID, 0: none */
	uint32_t deleted;
	uint32_t first_recent; /* UIDs from here on are \Recent to the next
				* session that selects it */
	uint64_t size; /* of all, with CRLF line ends */
	uint64_t deleted_size;
	char id[MAIL_ID_MAX]; /* MAILBOXID: never changes, follows renames */
};

enum {
	STATUS_SIZE = 1, /* size, deleted_size: may cost a stat for each */
};

enum mail_result mailbox_status(struct mailbox *m, unsigned int wants,
    struct mailbox_status *out, struct why *why);
/* SELECT (not EXAMINE): what was recent is so no more. */
enum mail_result mailbox_not_recent(struct mailbox *m, struct why *why);

/* One message. */
struct mail_message {
	uint32_t uid;
	uint32_t flags; /* enum mail_flag */
	uint64_t keywords; /* bit i: the i-th of mailbox_keywords */
	uint64_t modseq;
	int64_t internal_date; /* seconds since 1970, UTC */
	int64_t save_date; /* when it came into this folder */
	uint64_t size; /* RFC822.SIZE, with CRLF line ends */
	bool crlf; /* form on disk: all line ends are CRLF */
	char email_id[MAIL_ID_MAX];
};

/* What of it is asked for; these may cost a stat, or reading it, once. */
enum mail_want {
	WANT_DATE = 1, /* internal_date and save_date */
	WANT_SIZE = 2, /* size */
	WANT_FORM = 4, /* crlf */
	WANT_ID = 8, /* email_id */
};

/* MAIL_OK, MAIL_GONE, MAIL_FAILED. */
enum mail_result mailbox_message(struct mailbox *m, uint32_t uid,
    unsigned int wants, struct mail_message *out, struct why *why);

/* All UIDs there are now; those above "from" (0: all). Adds to *out. */
enum mail_result mailbox_uids(struct mailbox *m, uint32_t from,
    struct uid_set *out, struct why *why);
/*
 * Of those in "among" (NULL: all), the ones with (without) these flags and
 * keywords; quick: one walk through the index, no files. Any of the flags
 * will do. Adds to *out.
 */
enum mail_result mailbox_with_flags(struct mailbox *m,
    const struct uid_set *among, uint32_t flags, uint64_t keywords, bool have,
    struct uid_set *out, struct why *why);
/* Those changed (flags, arrival) after this modification sequence. */
enum mail_result mailbox_changed(struct mailbox *m, uint64_t since,
    struct uid_set *out, struct why *why);
/*
 * Those removed after this modification sequence. *complete is false when the
 * history does not go back so far: then *out is of no use, and what does not
 * exist any more has to be told whole (RFC 7162 section 3.2.5.1).
 */
enum mail_result mailbox_expunged(struct mailbox *m, uint64_t since,
    struct uid_set *out, bool *complete, struct why *why);

/*
 * Keywords of the folder, in the order of their bits; NULL at the end. They
 * live until one is added.
 */
const char *const *mailbox_keywords(struct mailbox *m);
/*
 * The bit of a keyword (case does not count), made with "create"; -1: there is
 * none, or no more can be made (*why then says).
 */
int mailbox_keyword(struct mailbox *m, struct span name, bool create,
    struct why *why);

/* Has the folder all that it can have? */
bool mailbox_keywords_full(struct mailbox *m);

enum flag_action { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };

struct flag_change {
	enum flag_action action;
	uint32_t flags;
	uint64_t keywords;
	/* RFC 7162: messages changed since are left alone; UINT64_MAX: none */
	uint64_t unchanged_since;
	/* what FLAGS_REPLACE leaves as it is */
	uint32_t keep_flags;
	uint64_t keep_keywords;
};

/*
 * Changes the flags of those that exist. All that really change get one
 * modification sequence, *modseq (0: none did). "failed" gets those that
 * unchanged_since protected; it may be NULL.
 */
enum mail_result mailbox_change_flags(struct mailbox *m,
    const struct uid_set *uids, const struct flag_change *change,
    uint64_t *modseq, struct uid_set *failed, struct why *why);
/*
 * Removes those with \Deleted, among "uids" where that is not NULL. "removed"
 * gets them.
 */
enum mail_result mailbox_expunge(struct mailbox *m, const struct uid_set *uids,
    struct uid_set *removed, struct why *why);

/* Source and copy of each, in the same order, ascending by source UID. */
struct mail_copies {
	uint32_t uidvalidity; /* of the target */
	struct uid_set from;
	struct uid_set to;
	uint64_t count;
};

void mail_copies_fini(struct mail_copies *c);

struct mail_copying {
	bool move;
	/* mailbox_copy_across: what goes with the messages */
	bool keywords;
	uint32_t flags;
	/*
	 * NULL, or called now and then: how many messages are done, nothing of
	 * which may be announced yet. With "held" it must not wait, nor touch
	 * the store; else it may, and false ends it all: MAIL_FAILED.
	 */
	bool (*tell)(void *with, uint64_t done, uint64_t all, bool held);
	void *with;
};

/*
 * Copies (a link where that can be), or moves, with flags, keywords, dates.
 * All or nothing; those that are gone are left out. Of a move "removed" are
 * all of c->from. The same folder is fine for a copy; for a move it gives new
 * UIDs.
 */
enum mail_result mailbox_copy(struct mailbox *from, const struct uid_set *uids,
    struct mailbox *to, const struct mail_copying *how, struct mail_copies *out,
    struct why *why);

/*
 * Between two accounts, or where not all flags may go with the messages: only
 * those of how->flags do, and keywords only with how->keywords. Bytes are
 * copied, as APPEND does it: the copies are durable when it returns, all or
 * none. Of a move the messages are removed after that.
 */
enum mail_result mailbox_copy_across(struct mailbox *from,
    const struct uid_set *uids, struct mailbox *to,
    const struct mail_copying *how, struct mail_copies *out, struct why *why);

/*
 * New messages: begun and written one after the other, at any speed; then all
 * enter the mailbox together, or none does. Nothing of it is to be seen
 * before, and what a crash leaves is removed later.
 */
struct mail_append;

struct mail_append_message {
	uint32_t flags;
	uint64_t keywords;
	int64_t internal_date; /* INT64_MIN: now */
};

struct mail_append *mail_append_new(struct mailbox *to);
/* Aborts if it was not committed. NULL is fine. */
void mail_append_free(struct mail_append **a);
/*
 * "size": what is to come (a hint; quota is checked with it); UINT64_MAX:
 * unknown.
 */
enum mail_result mail_append_begin(struct mail_append *a,
    const struct mail_append_message *m, uint64_t size, struct why *why);
/* The message's bytes as the client sends them, any line ends. */
enum mail_result mail_append_write(struct mail_append *a, const void *data,
    size_t n, struct why *why);
/*
 * Durable when it returns. Appends of other tasks of this process share the
 * flush: call it in a task; it may wait for them.
 */
enum mail_result mail_append_commit(struct mail_append *a,
    uint32_t *uidvalidity, struct uid_set *uids, struct why *why);

/* The text, open for reading. MAIL_GONE when somebody removed it. */
enum mail_result mailbox_fetch(struct mailbox *m, uint32_t uid,
    struct store_blob *out, struct why *why);
/*
 * The same for who wants all of a small one: where that is cheaper than to
 * open it alone, and it is shorter than "room", *text is all of it, and
 * out->next is out->length. It is in "to", or, if it was read ahead, where it
 * came to lie, until the next call that fetches or reads ahead. Else nothing
 * was read, and *text is empty.
 */
enum mail_result
mailbox_fetch_start(struct mailbox *m, uint32_t uid, struct store_blob *out,
    char *to, size_t room, struct span *text, struct why *why);

/*
 * The messages that are going to be fetched now, one after the other and in
 * this order: a thread reads files ahead (read_ahead.h), and
 * mailbox_fetch_start finds their bytes there. To be said again before each of
 * them, with those that are left; it costs nothing while enough is under way.
 * "room": what mailbox_fetch_start will have; larger ones are left to it. For
 * few messages, for an mbox, and before some were fetched without a gap,
 * nothing happens.
 *
 * To be ended when nobody fetches any more; closing the mailbox does it too.
 */
void mailbox_read_ahead(struct mailbox *m, const uint32_t *uids, size_t count,
    size_t room);
void mailbox_read_ahead_end(struct mailbox *m);
/*
 * From now to the end: what is to be done with each of them (read_ahead.h), and
 * what came of it for the one that mailbox_fetch_start has just given; empty
 * where it was not read ahead. Until the next call that fetches or reads ahead.
 */
struct read_ahead_work;
void
mailbox_read_ahead_work(struct mailbox *m, const struct read_ahead_work *work);
struct span mailbox_read_ahead_made(const struct mailbox *m);

/*
 * What can be computed from a message, kept for the next who asks. Values are
 * opaque here, at most CACHE_VALUE_MAX bytes; they may be forgotten at any
 * time and can be made of nothing but the message. A reader checks what he
 * gets like any input: the file may have been damaged.
 */
enum cache_slot {
	CACHE_ENVELOPE, /* text of RFC 9051's envelope */
	CACHE_BODYSTRUCTURE, /* its text */
	CACHE_BODY, /* its text */
	CACHE_PARTS, /* lib/mail/mime_tree.h, packed */
	CACHE_PREVIEW,
	CACHE_SORT, /* keys for SORT and THREAD */
	CACHE_WORDS, /* what SEARCH TEXT skips messages by */
	CACHE_HEADER, /* fields that were asked for by name; see search */
	CACHE_THREADID, /* RFC 8474, its text */
	CACHE_FIELDS, /* answers to HEADER.FIELDS */
	CACHE_SLOTS_MAX = 64,
};

enum { CACHE_VALUE_MAX = 65536 };

/*
 * The value, or p NULL. Valid until mailbox_release: between mailbox_hold and
 * that nothing may wait, and nothing be changed. Holds may be nested.
 */
void mailbox_hold(struct mailbox *m);
void mailbox_release(struct mailbox *m);
struct span
mailbox_cached(struct mailbox *m, uint32_t uid, enum cache_slot slot);
/* Kept in memory at first and written with others. Never fails. */
void mailbox_cache(struct mailbox *m, uint32_t uid, enum cache_slot slot,
    struct span value);
/* Nobody waits for an answer: the time to write them, where they are many. */
void mailbox_rest(struct mailbox *m);

#endif
