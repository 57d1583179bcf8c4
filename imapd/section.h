/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SECTION_H
#define IMAPD_SECTION_H

/*
 * Parts of a message as FETCH asks for them, "BODY.PEEK[1.2.MIME]<0.500>"
 * (RFC 9051 section 6.4.5, RFC 3501, RFC 3516), and where they lie.
 */

#include "lib/base/mem.h"
#include "lib/mail/mime_tree.h"

enum section_form {
	SECTION_BODY,
	SECTION_BINARY, /* with its transfer encoding undone */
	SECTION_BINARY_SIZE,
};

enum section_what {
	SECTION_WHOLE, /* of the message, or a part's body */
	SECTION_HEADER,
	SECTION_FIELDS, /* those that are named */
	SECTION_FIELDS_NOT, /* all others */
	SECTION_TEXT,
	SECTION_MIME, /* the header of a part */
};

struct section {
	enum section_form form;
	enum section_what what;
	struct span numbers; /* "1.2"; "": of the message itself */
	const struct span *names; /* of fields */
	size_t name_count;
	bool partial;
	uint64_t from, most; /* of what would be sent */
	bool peek; /* does not set \Seen */
	struct span label; /* how the answer names it */
};

/*
 * Also RFC822, RFC822.HEADER, RFC822.TEXT. False for what is no section. Texts
 * are the arena's.
 */
bool section_parse(struct arena *a, struct span text, struct section *out);

/* Bytes of a message as stored, and how many they are with CRLF. */
struct section_range {
	uint64_t at, size, sent;
};

/*
 * False: this message has no such part, which is NIL. For fields: the header
 * they are in. "part" gets the part that was named, NULL for the message; it
 * may be NULL.
 */
bool section_locate(const struct section *s, const struct mime_tree *t,
    struct section_range *out, const struct mime_part **part);
/* Does it need the tree, or just the header of the message? */
bool section_needs_tree(const struct section *s);
/*
 * The fields that are asked for, with CRLF, and the empty line where the
 * header has one.
 */
void
section_filter(const struct section *s, struct span header, struct buf *out);

#endif
