/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_TREE_H
#define LIB_MAIL_MIME_TREE_H

/*
 * The MIME structure of a stored message (RFC 2045, 2046, 2183, 2231, 3282):
 * which part lies where, so that any of it can be read later without parsing
 * again. Built from a stream of bytes in pieces of any size; memory goes with
 * the number of parts, which is limited, not with the message.
 *
 * Header and body are cut where header.h does. What is broken is still a
 * tree: a multipart without its boundary, or too deep, is a leaf of
 * text/plain or application/octet-stream.
 *
 * Positions are in bytes as stored; sizes are given as stored and as sent,
 * with CRLF line ends.
 */

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/mail/mime_parameter.h"

enum {
	MIME_TREE_DEPTH_MAX = 50,
	MIME_TREE_PARTS_MAX = 2000,
	MIME_TREE_HEADER_MAX = 512 * 1024, /* what of one header is looked at */
	MIME_TREE_TEXTS_MAX = 2 << 20, /* of all texts of a tree; more is left
					  out */
};

struct mime_part {
	struct mime_part *parent, *children, *next;
	/* Lower case; "text" "plain" where missing or broken. */
	struct span type, subtype;
	const struct mime_parameter *parameters;
	size_t parameter_count;
	struct span id, description, encoding, md5, location; /* p NULL: none */
	struct span disposition; /* p NULL: none */
	const struct mime_parameter *disposition_parameters;
	size_t disposition_parameter_count;
	struct span language; /* as written */
	bool multipart; /* children are its parts */
	bool message; /* message/rfc822, message/global: one child, the root of
		       * that message */
	bool has_header; /* every part but odd ones */
	uint64_t header_at, header_size; /* with the empty line */
	uint64_t body_at, body_size;
	uint64_t header_sent, body_sent; /* sizes with CRLF */
	uint64_t body_lines;
	/*
	 * Envelope fields of the message and of message/rfc822's child, as
	 * written, unfolded not; p NULL: missing. The first of each counts.
	 */
	const struct mime_envelope *envelope;
};

struct mime_envelope {
	struct span date, subject, from, sender, reply_to, to, cc, bcc;
	struct span in_reply_to, message_id, references;
};

/*
 * The envelope's fields of a header (or of a message: its body is not looked
 * at). They point into it.
 */
void mime_envelope_read(struct span header, struct mime_envelope *out);

/* The parameter of that (lower case) name; p NULL: none. */
struct span mime_part_parameter(const struct mime_part *p, const char *name);

struct mime_tree; /* owns all of it */

struct mime_tree_builder;

struct mime_tree_builder *mime_tree_begin(void);
/* The bytes need to stay only during the call. */
void mime_tree_put(struct mime_tree_builder *b, struct span bytes);
struct mime_tree *mime_tree_end(struct mime_tree_builder **b);
void mime_tree_free(struct mime_tree **t);

const struct mime_part *mime_tree_root(const struct mime_tree *t);
/* Never above MIME_TREE_PARTS_MAX: for tests and fuzzers, which see to it. */
size_t mime_tree_parts(const struct mime_tree *t);
uint64_t mime_tree_size(const struct mime_tree *t); /* stored */
uint64_t mime_tree_sent(const struct mime_tree *t); /* with CRLF */
/*
 * "1.2.3" (RFC 9051 section 6.4.5, part numbers); NULL: there is no such part.
 * "1" of a message without parts is its body. A number's part may be the
 * root itself.
 */
const struct mime_part *
mime_tree_find(const struct mime_tree *t, struct span numbers);

/*
 * For keeping beside the message: everything but the texts, that is
 * positions and sizes, types, encodings and charset parameters. What was
 * unpacked is as good as built, but the other texts are missing. NULL:
 * damaged, or of another version; safe for any bytes.
 */
bool mime_tree_pack(const struct mime_tree *t, struct buf *out);
struct mime_tree *mime_tree_unpack(struct span packed);

#endif
