/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_SCAN_H
#define LIB_STORE_MBOX_SCAN_H

/*
 * The messages in an mbox file, found in one pass over its bytes, which come
 * in pieces of any size. Memory grows with the number of messages, not with
 * their size or that of their lines.
 *
 * A message begins with a line "From sender date" (RFC 4155, with what mail
 * programs really write: a zone, no seconds, words behind the date) and ends
 * in front of the next one; an empty line there belongs to neither. What
 * looks like that inside a body has a ">" in front, put there by whoever
 * delivered it ("mboxrd": lines of ">" and "From " get one more).
 * Content-Length is not believed: it is the sender's word.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

enum {
	MBOX_DIGEST_SIZE = 16,
	MBOX_MESSAGES_MAX = 1000000,
	MBOX_UIDL_MAX = 70,
};

/* Letters of Status and X-Status. */
enum mbox_note_flag {
	MBOX_READ = 1, /* R */
	MBOX_OLD = 2, /* O */
	MBOX_ANSWERED = 4, /* A */
	MBOX_FLAGGED = 8, /* F */
	MBOX_DELETED = 16, /* D */
	MBOX_DRAFT = 32, /* T */
};

/*
 * What mail programs that keep UIDs and flags have written into a message's
 * header: UW's, Dovecot, alpine, mutt, and we. A sender may have written it
 * too.
 */
struct mbox_notes {
	uint32_t uid; /* X-UID, or 0 */
	unsigned int flags; /* enum mbox_note_flag */
	const char *keywords; /* X-Keywords, or NULL; in the arena */
	/* X-IMAPbase or X-IMAP: 0 when there is none */
	uint32_t uidvalidity;
	uint32_t last_uid;
	const char *all_keywords; /* of the mailbox, in it; or NULL */
	/*
	 * Where the lines of X-UID, Status, X-Status, X-Keywords, X-IMAPbase
	 * and X-IMAP are, when they follow each other; else room is 0.
	 */
	int64_t at;
	uint32_t room;
};

struct mbox_message {
	int64_t start; /* of its "From " line */
	int64_t text; /* behind that */
	int64_t text_end; /* without the empty line in front of the next */
	int64_t end; /* where the next one starts */
	uint64_t size; /* of the text, with CRLF line ends, unquoted */
	/*
	 * Of the whole, less the headers in which mail programs keep their
	 * notes (Status, X-UID, ...): the same for as long as the message is.
	 */
	unsigned char digest[MBOX_DIGEST_SIZE];
	const char *uidl; /* of X-UIDL, or NULL; in the arena */
	/*
	 * Of size: header fields that IMAP does not show, as Dovecot does not
	 * (mbox_hidden).
	 */
	uint64_t hidden;
	int64_t date; /* of the "From " line; INT64_MIN: it cannot be told */
	struct mbox_notes notes;
	/* not mail: what the IMAP server of UW keeps in front */
	bool internal;
};

struct mbox_scan;

/* "names" holds what is found; it must outlive the result. */
struct mbox_scan *mbox_scan_new(struct arena *names);
/* The first byte is this one of the file, where a message begins. */
void mbox_scan_from(struct mbox_scan *s, int64_t at);
void mbox_scan_free(struct mbox_scan **s);
/*
 * The next bytes. False: the file does not begin with a "From " line, or has
 * too many messages; mbox_scan_error says.
 */
bool mbox_scan_feed(struct mbox_scan *s, const char *p, size_t n);
/* There are no more bytes. */
bool mbox_scan_end(struct mbox_scan *s);
const char *mbox_scan_error(const struct mbox_scan *s);
/* Valid until mbox_scan_free. */
const struct mbox_message *
mbox_scan_messages(const struct mbox_scan *s, size_t *count);

/* Does the line (without its end) begin a message? */
bool mbox_from_line(struct span line);
/*
 * Its time: in its own zone if it tells one as digits, else in the machine's.
 */
bool mbox_from_date(struct span line, int64_t *date);
/* Is a header field of this name not shown by IMAP? */
bool mbox_hidden(struct span name);
/* Is it one in which UIDs, flags and keywords are kept? */
bool mbox_noted(struct span name);

/* Taking ">" away again, from a text that comes in pieces. Zeroed: start. */
struct mbox_unquote {
	bool inside; /* of a line, and not of the ">" it begins with */
	unsigned char kept; /* bytes of "held" */
	char held[8]; /* undecided, in front of what comes next */
};

enum { MBOX_UNQUOTE_ROOM = 8 };

/*
 * bytes[MBOX_UNQUOTE_ROOM..+n) are the next ones (the room in front is for
 * what was held back); "last": there are no more. Where the result is.
 */
struct span
mbox_unquote(struct mbox_unquote *u, char *bytes, size_t n, bool last);

#endif
