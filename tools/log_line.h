/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_LOG_LINE_H
#define TOOLS_LOG_LINE_H

/*
 * A line of the mail log taken apart:
 *	Nov 21 13:25:01 host posthaste/smtpd[123]: ID: text
 * The time may also be in RFC 3339's form. Nothing is copied; hostile input
 * gives a line without parts, never a wrong one.
 */

#include <stdbool.h>
#include "lib/base/span.h"

struct log_line {
	struct span time; /* as written, without host */
	struct span host;
	struct span tag; /* "posthaste/smtpd" */
	struct span pid;
	struct span id; /* queue id, or empty */
	struct span text; /* behind the id */
};

/* False when the line is none of a mail log. */
bool log_line_parse(struct span line, struct log_line *out);
/* The last part of the tag: "smtpd". */
struct span log_line_program(const struct log_line *l);
/*
 * Value of name=value in the text, up to a comma followed by a blank or the
 * end; without < > around it. False when it is not there.
 */
bool
log_line_value(const struct log_line *l, const char *name, struct span *value);
/*
 * The queue id of a message that this line says came from this one: "sender
 * non-delivery notification: ID", "forwarded as ID", "queued as ID".
 */
bool log_line_child(const struct log_line *l, struct span *id);
/* "name[address]" of the client that a session's line is about. */
bool log_line_client(const struct log_line *l, struct span *client);

#endif
