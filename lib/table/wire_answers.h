/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_WIRE_ANSWERS_H
#define LIB_TABLE_WIRE_ANSWERS_H

/*
 * What servers of socketmap:, tcp: and memcache: tables say. IO_LONG is an
 * answer that is none, or one beyond a limit; the connection is of no more use.
 */

#include "lib/base/buf.h"
#include "lib/net/stream.h"

/* One netstring, "5:hello,", of at most "limit" bytes, appended to *out. */
enum io netstring_read(struct stream *s, size_t limit, struct buf *out);
/*
 * The text of a netstring that answers a lookup: "OK value" and so on, as an
 * enum table_result; *value is the value or the reason. -1: none of those.
 */
int socketmap_answer(struct span text, struct buf *value);

/* The same for a line of tcp_table(5), "200 value", without its end. */
int tcp_answer(struct span line, struct buf *value);
/* %XX for what is not printable, blanks and %. */
void tcp_encode(struct span text, struct buf *out);
/* False for a % that is not followed by two hexadecimal digits. */
bool tcp_decode(struct span text, struct buf *out);

struct memcache_limits {
	size_t line, data;
};

/*
 * The answer to "get KEY": *found says whether there is a value. IO_ERROR
 * with *why filled: the server said that it cannot.
 */
enum io memcache_read(struct stream *s, const struct memcache_limits *limits,
    struct span key, bool *found, struct buf *value, struct buf *why);

#endif
