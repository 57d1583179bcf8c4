/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ATTRIBUTES_H
#define SMTPD_ATTRIBUTES_H

/*
 * Arguments of XCLIENT and XFORWARD: "NAME=host ADDR=192.0.2.1 ...", values
 * in xtext (RFC 3461 section 4). Pure. Each value has been held against its
 * syntax; none is longer than ATTRIBUTE_MAX, and none has control characters.
 */

#include "lib/base/buf.h"

enum { ATTRIBUTE_MAX = 255 };

enum attribute_index {
#define ATTRIBUTE(name, commands, check) ATTRIBUTE_##name,
#include "smtpd/attributes.def"
#undef ATTRIBUTE
	ATTRIBUTE_COUNT
};

/* Which command takes it. */
enum attribute_command { FOR_XCLIENT = 1, FOR_XFORWARD = 2 };

struct attribute {
	bool given;
	bool unavailable; /* "[UNAVAILABLE]", "[TEMPUNAVAIL]" */
	bool for_now; /* the latter */
	char text[ATTRIBUTE_MAX + 1]; /* "" when unavailable */
};

struct attributes {
	struct attribute list[ATTRIBUTE_COUNT];
};

/*
 * True, and *out filled; or the answer for the client, with its codes, in
 * *reply (at least REPLY_LINE_MAX), *out unspecified. "command" is the name
 * for texts.
 */
bool attributes_parse(struct span arguments, enum attribute_command command,
    struct attributes *out, struct buf *reply);
/* "NAME ADDR PORT ...": what EHLO announces. */
void attributes_names(enum attribute_command command, struct buf *out);

#endif
