/* SPDX-License-Identifier: ISC */
/* DATA: RFC 5321 section 4.1.1.4. */
#include "smtpd/reception.h"

/* Everything up to the end of data. Not IO_OK: the connection is lost. */
static enum io
receive(struct session *s, struct reception *r)
{
	struct span bytes, in;
	bool ended = false;
	enum io result;

	while (!ended) {
		result = reception_peek(s, r, &bytes);
		if (result != IO_OK)
			return result;
		in = bytes;
		ended = reception_take(r, &in);
		stream_consume(s->io, bytes.n - in.n);
	}
	return IO_OK;
}

void
verb_data(struct session *s, struct span arguments)
{
	struct reception *r;
	enum io result;

	(void)arguments;
	if (!reception_allowed(s))
		return;
	r = reception_new(s, false);
	say(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	result = receive(s, r);
	if (result == IO_OK)
		reception_finish(s, r);
	else
		reception_lost(s, r, result);
	reception_free(&r);
	transaction_free(s);
}
