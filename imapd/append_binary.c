/* SPDX-License-Identifier: ISC */
/*
 * Messages that may hold NULs: RFC 3516 sections 4.4, 6, RFC 9051
 * section 4.3.1. No literal can hold one, so BODY[] could not show them; with
 * binary parts in base64 BODY[], BODYSTRUCTURE and sizes agree, and BINARY[]
 * gives the bytes that came. A message without any enters the mailbox as it is,
 * and so does a NUL outside of such parts.
 */
#include "imapd/append.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/mail/encode_binary.h"
#include "lib/task/task.h"

enum { CHUNK = 32768 };

/* One message on its way from the spool. */
struct way {
	struct appending *a;
	enum mail_result result;
	struct why why;
};

void
append_spool(struct appending *a)
{
	append_spool_fini(a);
	mail_spool_init(&a->spool, a->target);
	a->spooling = true;
	a->nul = false;
}

void
append_spool_fini(struct appending *a)
{
	if (a->spooling)
		mail_spool_fini(&a->spool);
	a->spooling = false;
}

static bool
take(void *with, uint64_t at, void *to, size_t n)
{
	struct way *w = with;

	/* others go on while a large message is read */
	(void)wait_yield();
	w->result = mail_spool_read(&w->a->spool, at, to, n, &w->why);
	return w->result == MAIL_OK;
}

static bool
give(void *with, struct span bytes)
{
	struct way *w = with;

	w->result = mail_append_write(w->a->append, bytes.p, bytes.n, &w->why);
	return w->result == MAIL_OK;
}

static bool
copy(struct way *w, uint64_t size)
{
	char *chunk = mem_new(CHUNK);
	bool done = true;
	uint64_t at = 0;
	size_t n;

	for (; done && at < size; at += n) {
		n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		done =
		    take(w, at, chunk, n) && give(w, (struct span){ chunk, n });
	}
	free(chunk);
	return done;
}

bool
append_spooled(struct appending *a)
{
	struct way w = { .a = a };
	const struct encode_binary io = { take, give, &w };
	uint64_t size;
	bool done;

	if (!a->spooling)
		return true;
	size = mail_spool_size(&a->spool);
	done = a->nul ? encode_binary(&io, size) : copy(&w, size);
	append_spool_fini(a);
	return done || append_refuse(a, w.result, &w.why);
}
