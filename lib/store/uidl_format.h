/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_UIDL_FORMAT_H
#define LIB_STORE_UIDL_FORMAT_H

/*
 * POP3's unique ids: the form a site gives them (pop3_uidl_format, in
 * Dovecot's words), and those that are made of file names alone.
 *
 *	%u	UID
 *	%v	UIDVALIDITY
 *	%f	name of the file, without flags and our UID
 *	%g	GUID: of dovecot-uidlist, else as %f
 *
 * between % and the letter: a width ("08": filled with zeros; without the
 * zero: cut), then X (hexadecimal), L, U (lower and upper case), M (MD5).
 */

#include "lib/base/span.h"
#include "lib/base/why.h"
#include "lib/store/store.h"

struct uidl_format {
	const char *text; /* lives on; "" : ids are made of names */
	bool wants_uid; /* of each message, and UIDVALIDITY */
};

/* False with *why for what cannot be, or gives several messages the same. */
bool
uidl_format_parse(const char *text, struct uidl_format *out, struct why *why);

/* What an id is made of. */
struct uidl_parts {
	uint64_t uid, uidvalidity;
	struct span base; /* as maildir_name_base has it */
	struct span guid; /* or empty */
};

/* An id as store_unique wants it; a digest where it would be none. */
void uidl_format_make(const struct uidl_format *f, const struct uidl_parts *m,
    char out[STORE_UNIQUE_MAX]);
/*
 * The base name without its fields, if it fits; else its digest. Either is
 * the same for as long as the file keeps its name.
 */
void uidl_own_name(struct span base, char out[STORE_UNIQUE_MAX]);
void uidl_digest(struct span text, char out[STORE_UNIQUE_MAX]);
/* 1 to 70 printable characters. */
bool uidl_fits(struct span s);

#endif
