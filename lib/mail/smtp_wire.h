/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_SMTP_WIRE_H
#define LIB_MAIL_SMTP_WIRE_H

/*
 * Content on its way out after "354": the counterpart of smtp_content.h.
 *
 * What is given to the sink has no bare CR or LF (they become a space, and
 * CRLF), no line over the limit (it is folded with CRLF and a space, never
 * inside a UTF-8 character), and its dots are stuffed; so that however the
 * message came in, no server after us can see another end of it, nor more
 * messages than one (SMTP smuggling). The last line is ended; the final dot
 * is the caller's.
 *
 * Pure and push driven: input may be split anywhere. Clean input goes to the
 * sink as it is, in pieces as large as they come.
 */

#include "lib/base/span.h"

typedef void smtp_wire_sink(void *with, struct span bytes);

struct smtp_wire {
	smtp_wire_sink *sink;
	void *with;
	size_t limit; /* bytes of a line without CRLF; 0: none */
	size_t column;
	bool held_cr;
};

void smtp_wire_init(struct smtp_wire *w, size_t limit, smtp_wire_sink *sink,
    void *with);
void smtp_wire_put(struct smtp_wire *w, struct span in);
void smtp_wire_end(struct smtp_wire *w);

#endif
