/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_AUTHOR_CHECK_H
#define CLEANUP_AUTHOR_CHECK_H

/*
 * Who logged in and submits a message: does it come from an address of theirs?
 * smtpd has the login and says which tables have the owners; what the header
 * says is seen as it is stored, before canonical tables, as smtpd asks of the
 * envelope.
 *
 * Each address of From:, Sender: and the topmost Resent-From: counts, and
 * that of the envelope where there is no From:. More than one From: or Sender:
 * is refused: which of them readers are shown nobody knows.
 */

#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/mail/author.h"
#include "lib/mail/header.h"
#include "lib/mail/rewrite.h"

enum { AUTHOR_FIELDS = 3, AUTHORS_MAX = 100 };

struct author {
	const char *field;
	const char *address;
};

struct author_check {
	struct arena *arena; /* of the message */
	enum author_match match;
	const char *login;
	const char *owners; /* tables */
	const char *sender; /* of the envelope, as given */
	const struct rewrite_rules *rules; /* NULL: addresses stay */
	unsigned int seen[AUTHOR_FIELDS];
	const char *field; /* being read */
	const char *wrong; /* why nobody can tell, or NULL */
	struct author authors[AUTHORS_MAX + 1]; /* and the envelope's */
	size_t count;
};

/* NULL when nobody asks. Lives in the arena, as its texts do. */
struct author_check *author_check_new(struct arena *a,
    const struct msg_submit *m, const struct rewrite_rules *rules);
/* A field of the message's own header, in their order. May be NULL. */
void author_check_see(struct author_check *c, const struct header_field *f);

/* Reply code of a refusal, as Postfix has it for the envelope. */
enum { AUTHOR_REFUSED = 553 };
/*
 * Once, behind the header. NEVER: not theirs; LATER: the tables cannot be
 * asked. With a match that only warns that is logged, and OK.
 */
enum verdict author_check_judge(struct author_check *c, const char *queue_id,
    const char *client, struct why *why);

#endif
