/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_STORE_H
#define LIB_STORE_STORE_H

/*
 * A mailbox for its reader: what is in it, how large each message is as it is
 * sent, its text, and its removal. Runs with the rights of the mailbox's
 * owner. The list is taken when the mailbox is opened and keeps its numbers;
 * what arrives later is in the next one.
 *
 * Messages are numbered from 0, oldest first.
 *
 * Kinds: Maildirs, by store_open; mbox files, by mbox_store_open
 * (mbox_store.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/why.h"

struct store;

enum { STORE_UNIQUE_MAX = 71 }; /* with its NUL; RFC 1939 section 7, UIDL */

enum store_result {
	STORE_OK,
	STORE_IN_USE, /* somebody else has it open, exclusively */
	STORE_GONE, /* this message is no more */
	STORE_FAILED, /* *why says */
};

enum store_flag { STORE_SEEN = 1 };

/* How a Maildir's messages are called: uidl_format.h. */
struct uidl_format;

struct store_ids {
	const struct uidl_format *format;
	/*
	 * Of the INBOX, as mailbox_sync has just left it, for a format that
	 * wants UIDs. Messages that have come since are not listed.
	 */
	uint32_t uidvalidity;
};

/*
 * Opens INBOX of "maildir:/path" (options: mail_account_location.h) and lists
 * it. A mailbox that does not exist yet is empty.
 * "exclusive": nobody else who asks for that gets it meanwhile; the lock goes
 * with the process that has it, however it ends.
 * "ids" NULL: made of names, but for those that dovecot-uidlist knows.
 */
enum store_result store_open(const char *location, bool exclusive,
    const struct store_ids *ids, struct store **out, struct why *why);
/* Keeps what was learned about sizes. NULL is fine. */
void store_close(struct store **s);

size_t store_count(const struct store *s);
/*
 * Bytes of the message with CRLF line ends. From the name, the index of
 * another program, or what was noted before; else the file is read once.
 */
enum store_result
store_size(struct store *s, size_t i, uint64_t *size, struct why *why);
/*
 * A name of 1 to 70 printable characters that this message keeps for ever,
 * and no other one in the mailbox gets.
 */
const char *store_unique(const struct store *s, size_t i);

/* The text of one message, open for reading. */
struct store_blob {
	int fd; /* that holds nothing else; -1: another kind of store */
	int64_t length; /* of what is stored in it */
	int64_t next; /* read next */
	bool crlf; /* line ends are CRLF already; else LF, or mixed */
	struct store_text *text; /* where there is no file of its own */
};

enum store_result
store_fetch(struct store *s, size_t i, struct store_blob *out, struct why *why);
/*
 * The next bytes: how many, 0 at the end, -1 with errno. ESTALE: the message
 * was changed while it was read, and what came before is worth nothing.
 */
int64_t store_blob_read(struct store_blob *b, void *to, size_t n);
void store_blob_close(struct store_blob *b);

/* To the flags the message has already. */
enum store_result
store_add_flags(struct store *s, size_t i, unsigned int flags, struct why *why);
/*
 * Removes it for good, at once or with store_commit. STORE_GONE counts as
 * done for most.
 */
enum store_result store_expunge(struct store *s, size_t i, struct why *why);
/*
 * Ends what store_expunge began: where one file holds many messages, all go
 * together. If it fails, all are still there.
 */
enum store_result store_commit(struct store *s, struct why *why);

#endif
