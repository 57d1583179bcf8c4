/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

/*
 * FETCH and UID FETCH: RFC 3501 section 6.4.5, RFC 9051 section 6.4.5, and
 * RFC 3516 (BINARY), 7162 (MODSEQ, CHANGEDSINCE, VANISHED), 8474 (EMAILID,
 * THREADID), 8514 (SAVEDATE), 8970 (PREVIEW), 9394 (PARTIAL), 9586 (UIDFETCH).
 *
 * fetch_items.c reads what is wanted, fetch.c goes through the messages,
 * fetch_text.c makes what is kept beside them, fetch_section.c sends their
 * bytes. What was kept is copied from the index to the output; of a message
 * that must be opened at most FETCH_WINDOW bytes are in memory.
 *
 * Here are the parts that these share.
 */

#include "imapd/section.h"
#include "imapd/session.h"

enum {
	FETCH_WINDOW = 65536, /* of a message: a smaller one is read whole */
	FETCH_FIRST = 16384, /* of a larger one: mostly all of its header */
	FETCH_OUT = 65536, /* with so much in s->out it is sent */
	FETCH_CHUNK = 131072, /* of what does not fit the window */
	FETCH_NEXT = 256, /* UIDs that are known before their turn */
};

enum fetch_want {
	FETCH_UID = 1 << 0,
	FETCH_FLAGS = 1 << 1,
	FETCH_DATE = 1 << 2,
	FETCH_SIZE = 1 << 3,
	FETCH_MODSEQ = 1 << 4,
	FETCH_EMAILID = 1 << 5,
	FETCH_THREADID = 1 << 6,
	FETCH_SAVEDATE = 1 << 7,
	FETCH_ENVELOPE = 1 << 8,
	FETCH_BODY = 1 << 9,
	FETCH_BODYSTRUCTURE = 1 << 10,
	FETCH_PREVIEW = 1 << 11,
	FETCH_LAZY = 1 << 12, /* only if there is one already */
	/* those that are made from the text, and kept */
	FETCH_TEXTS = FETCH_THREADID | FETCH_ENVELOPE | FETCH_BODY |
	    FETCH_BODYSTRUCTURE | FETCH_PREVIEW,
};

struct fetch_plan {
	unsigned int wants; /* enum fetch_want */
	struct section *sections;
	size_t section_count;
	bool sets_seen;
	bool changed_since, vanished;
	uint64_t since;
	bool partial; /* from the end when "backward" */
	bool backward;
	uint64_t partial_from, partial_to; /* from 1, from <= to */
};

/*
 * The arguments behind the set. NULL, or what is wrong with them. Texts are
 * the arena's.
 */
const char *fetch_plan_read(struct arena *a, const struct imap_arg *args,
    bool uid, struct fetch_plan *out);

/* UIDs, from the one whose turn it is: files of those that follow are read
 * ahead once messages have to be opened. */
struct fetch_next {
	uint32_t uids[FETCH_NEXT];
	size_t at, count;
	uint32_t last; /* of those that were ever put in */
};

/* The message that is being told. */
struct fetch_message {
	struct imap_session *s;
	const struct fetch_plan *plan;
	const struct fetch_next *next;
	uint32_t uid;
	struct store_blob blob;
	bool open;
	char *room; /* FETCH_WINDOW bytes, for the window */
	const char *window; /* how it begins: there, or read ahead */
	size_t window_n; /* of it, once read */
	bool whole; /* is all of it in the window? */
	struct mime_tree *tree; /* once it was needed */
	bool tree_texts; /* with its texts: made of the message itself */
	struct section_range head; /* its header, once "has_head" */
	bool has_head;
	bool begun; /* an item was written */
	bool sent; /* some of the answer has left */
	struct why why;
};

/* Each gives MAIL_OK, MAIL_GONE or MAIL_FAILED (with m->why). */
enum mail_result fetch_open(struct fetch_message *m); /* fills the window */
enum mail_result fetch_tree(struct fetch_message *m, bool texts);
/* The header of the message itself, even one larger than the window. */
enum mail_result
fetch_header(struct fetch_message *m, struct buf *own, struct span *header);
/* Closes and forgets it. */
void fetch_close(struct fetch_message *m);
/* Bytes of the message as stored; how many, fewer at its end, -1: errno. */
int64_t fetch_read(struct fetch_message *m, uint64_t at, void *to, size_t n);

/*
 * Adds those of the texts ("wants") to s->out that are kept; gives those that
 * are not. Within mailbox_hold.
 */
unsigned int
fetch_kept(struct imap_session *s, uint32_t uid, unsigned int wants);
/* Makes the others, keeps and adds them. */
enum mail_result
fetch_make(struct fetch_message *m, unsigned int wants, enum io *io);

/*
 * Sends one section, or NIL where there is none. The connection must end when
 * *io is not IO_OK. MAIL_NOT_ALLOWED: its encoding cannot be undone; nothing
 * was written.
 */
enum mail_result
fetch_section(struct fetch_message *m, const struct section *x, enum io *io);
enum mail_result
fetch_binary(struct fetch_message *m, const struct section *x, enum io *io);

/* Is the answer to this section kept? It is short: SECTION_FIELDS. */
bool fetch_fields_keeps(const struct section *x);
/* Within mailbox_hold. False: it has to be made. */
bool fetch_fields_find(struct fetch_message *m, const struct section *x,
    struct span *text);
void fetch_fields_keep(struct fetch_message *m, const struct section *x,
    struct span text);

/* The beginning of its text for people (RFC 8970 section 3), UTF-8. */
enum mail_result fetch_preview(struct fetch_message *m, struct buf *out);

/* Begins an item that is no section: with a blank, but for the first. */
void fetch_item(struct imap_session *s, const char *name);
/* The same for a section: with its label. */
void fetch_section_begin(struct fetch_message *m, const struct section *x);
/* As imap_send, and lets others run: a FETCH may take long. */
enum io fetch_send(struct imap_session *s);
/* Adds text of any length to the answer. */
enum io fetch_add(struct fetch_message *m, struct span text);

/*
 * FETCH responses that no command asked for, of messages in the view. \Seen
 * is not set.
 */
void fetch_unasked(struct imap_session *s, const struct fetch_plan *plan,
    const struct uid_set *uids);

void imap_fetch(struct imap_session *s, const struct imap_command *c);

#endif
