/* SPDX-License-Identifier: ISC */
/*
 * BODY[HEADER.FIELDS (...)] as clients ask for it again and again: the answers
 * to the last few lists of names are kept beside the message, so that it need
 * not be opened.
 */
#include "imapd/fetch.h"

#include <string.h>

#include "imapd/fetch_kept.h"

enum {
	LISTS_MAX = 4, /* as many kinds of clients */
	TEXT_MAX = 8192, /* of one answer */
	LABEL_MAX = 1024,
};

struct answer {
	struct span label, text;
};

bool
fetch_fields_keeps(const struct section *x)
{
	return x->form == SECTION_BODY && x->what == SECTION_FIELDS &&
	    x->numbers.n == 0 && !x->partial && x->label.n <= LABEL_MAX;
}

/* One off the front: two lengths, label, text. */
static bool
take_answer(struct span *kept, struct answer *out)
{
	uint16_t n[2];

	if (kept->n < sizeof(n))
		return false;
	memcpy(n, kept->p, sizeof(n));
	*kept = span_skip(*kept, sizeof(n));
	if (kept->n < (size_t)n[0] + n[1])
		return false;
	out->label = span_take(*kept, n[0]);
	out->text = span_take(span_skip(*kept, n[0]), n[1]);
	*kept = span_skip(*kept, (size_t)n[0] + n[1]);
	return true;
}

static void
add_answer(struct buf *out, struct answer a)
{
	uint16_t n[2] = { (uint16_t)a.label.n, (uint16_t)a.text.n };

	buf_add(out, n, sizeof(n));
	buf_add_span(out, a.label);
	buf_add_span(out, a.text);
}

static bool
kept_value(struct fetch_message *m, struct span *kept)
{
	return fetch_kept_open(mailbox_cached(m->s->mailbox, m->uid,
				   CACHE_FIELDS),
	    kept);
}

bool
fetch_fields_find(struct fetch_message *m, const struct section *x,
    struct span *text)
{
	struct answer a;
	struct span kept;

	if (!kept_value(m, &kept))
		return false;
	while (take_answer(&kept, &a))
		if (span_equal(a.label, x->label)) {
			*text = a.text;
			return true;
		}
	return false;
}

/* The newest first; the oldest goes. */
void
fetch_fields_keep(struct fetch_message *m, const struct section *x,
    struct span text)
{
	struct buf value = BUF_INIT(CACHE_VALUE_MAX);
	struct answer a = { x->label, text };
	struct span kept;

	if (text.n > TEXT_MAX)
		return;
	add_answer(&value, a);
	mailbox_hold(m->s->mailbox);
	if (kept_value(m, &kept))
		for (int n = 1; n < LISTS_MAX && take_answer(&kept, &a); n++)
			if (!span_equal(a.label, x->label))
				add_answer(&value, a);
	mailbox_release(m->s->mailbox);
	fetch_kept_put(m->s->mailbox, m->uid, CACHE_FIELDS, buf_span(&value));
	buf_fini(&value);
}
