/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_WALK_H
#define LIB_MAIL_MIME_WALK_H

/*
 * The MIME structure of a message (RFC 2045, 2046) as it streams by: each
 * header whole, bodies line by line, so that memory does not grow with the
 * message. Cuts header from body where header.h does.
 *
 * Push driven: input may be split anywhere; line ends are CRLF or LF. What
 * is not understood is still given out, byte for byte: headers and
 * boundaries as they were, bodies as text and line ends.
 */

#include "lib/base/buf.h"

enum mime_kind {
	MIME_TEXT, /* text of any sort: a leaf */
	MIME_OTHER, /* a leaf that is no text */
	MIME_MULTIPART,
	MIME_MESSAGE, /* holds a message with a header of its own */
	MIME_OPAQUE, /* may not be changed: message/partial, nested too deep */
};

enum mime_encoding {
	MIME_7BIT,
	MIME_8BIT,
	MIME_BINARY,
	MIME_QUOTED_PRINTABLE,
	MIME_BASE64,
	MIME_UNKNOWN,
};

struct mime_entity {
	size_t number; /* 0 is the message itself; in order of appearance */
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool header_signed; /* within multipart/signed: not to be changed */
	bool signed_over; /* so is its body */
	bool message; /* has the header of a message, not of a part */
	bool composite; /* says it is a multipart or a message/rfc822, even
			 * where it cannot be read as one */
	bool fragment; /* message/partial, message/external-body */
	bool too_deep; /* beyond the depth: opaque for that alone */
	bool has_type, has_encoding, has_version; /* fields it has */
};

struct mime_events {
	/*
	 * All fields, with their line ends; "empty": the empty line that ends
	 * a header followed.
	 */
	void (*header)(void *with, const struct mime_entity *e,
	    struct span fields, bool empty);
	/* A piece of a line of the body, without its end; preambles and
	 * epilogues belong to the multipart. */
	void (
	    *text)(void *with, const struct mime_entity *e, struct span bytes);
	/* e is NULL for the end of a boundary line. */
	void (*line_end)(void *with, const struct mime_entity *e, bool crlf);
	/*
	 * A boundary line without its end. The line end before it was told as
	 * the last one of the part's body, but belongs to the boundary.
	 */
	void (*boundary)(void *with, struct span line);
};

struct mime_walk;

enum {
	MIME_HEADER_MAX = 512 * 1024, /* of one entity */
	MIME_DEPTH_MAX = 100, /* where mime_walk_depth says no other */
	MIME_ENTITIES_MAX = 10000,
};

struct mime_walk *mime_walk_new(const struct mime_events *events, void *with);
/*
 * mime_nesting_limit: multiparts within one another, and two more, as Postfix
 * counts; before anything is put. Messages within a part do not count: nobody
 * has to remember where they end.
 */
void mime_walk_depth(struct mime_walk *w, size_t depth);
void mime_walk_free(struct mime_walk **w);
/* False once a limit was passed: what comes is not looked at any more. */
bool mime_walk_put(struct mime_walk *w, struct span in);
bool mime_walk_end(struct mime_walk *w);

#endif
