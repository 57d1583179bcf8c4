/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_HEADER_PASS_H
#define CLEANUP_HEADER_PASS_H

/*
 * What cleanup does to the header of a message: counts hops, logs the
 * message id, takes out what must not travel (Bcc:), takes recipients from
 * it (sendmail -t), completes and rewrites addresses, adds what is missing,
 * and cuts fields that are too long.
 *
 * The header streams through: one field at a time is held, however many
 * there are. Input has CRLF line ends (line_ends.h).
 */

#include "cleanup/author_check.h"
#include "cleanup/header_rewrite.h"
#include "cleanup/recipient_set.h"
#include "cleanup/settings.h"

/* What the pass is told. Texts outlive it. */
struct header_facts {
	const struct settings *set;
	const char *queue_id;
	const char *sender; /* for a missing From: */
	const char *full_name;
	int64_t arrival; /* microseconds since 1970 */
	bool add_missing;
	const struct header_rewriting
	    *rewrite; /* NULL: no address is changed */
	struct author_check *authors; /* NULL: nobody asks whose they are */
	bool extract;
	unsigned int extract_notify; /* enum dsn_notify, of who is found */
	/* What the submitter has added already: */
	unsigned int hops; /* Received: */
	bool delivered; /* Delivered-To: */
};

/* Takes what is to be stored; errors are its own business. */
typedef void header_pass_store(void *with, const char *data, size_t n);

struct header_pass {
	const struct header_facts *facts;
	struct arena *arena; /* of the message */
	struct arena *scratch; /* of one field */
	header_pass_store *store;
	void *with;
	struct buf held; /* not yet understood */
	bool begun; /* behind the From lines of a mailbox file */
	bool skipping; /* the rest of a field that was too long */
	bool told_of_cut;
	bool done; /* the body has begun */
	uint64_t seen; /* fields, bits of header_pass.c's table */
	unsigned int hops;
	struct recipient_set extracted;
	struct recipient_set resent; /* these win if there are any */
};

void header_pass_init(struct header_pass *p, const struct header_facts *facts,
    struct arena *a, header_pass_store *store, void *with);
/*
 * Takes a piece; when the body begins ("done"), the rest of the piece has
 * been stored already. Not OK: the message is refused.
 */
enum verdict
header_pass_feed(struct header_pass *p, bool last, struct why *why);
/* Was there a Delivered-To:, stored or not? Behind the header's end. */
bool header_pass_delivered(const struct header_pass *p);
/* Input goes into p->held before header_pass_feed; its limit. */
enum { HEADER_PIECE_MAX = 2 * 65536 + 16 };
void header_pass_fini(struct header_pass *p);

#endif
