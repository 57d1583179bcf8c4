/* SPDX-License-Identifier: ISC */
#include "lib/store/flag_rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

enum { BATCH = 256 }; /* rows copied at a time */

struct batch {
	const struct flag_rows *rows;
	uint32_t next; /* UID to go on from; 0: there is no more */
	size_t n;
	struct flag_row row[BATCH];
};

void
flag_rows_after(const struct flag_change *how,
    const struct mail_index_message *row, uint32_t *flags, uint64_t *keywords)
{
	switch (how->action) {
	case FLAGS_REPLACE:
		*flags = how->flags | (row->flags & how->keep_flags);
		*keywords =
		    how->keywords | (row->keywords & how->keep_keywords);
		return;
	case FLAGS_ADD:
		*flags = row->flags | how->flags;
		*keywords = row->keywords | how->keywords;
		return;
	case FLAGS_REMOVE:
		*flags = row->flags & ~how->flags;
		*keywords = row->keywords & ~how->keywords;
		return;
	}
	unreachable();
}

static void
keep_row(struct flag_row *to, const struct mail_index_message *row)
{
	size_t n = row->name.n < sizeof(to->name) ? row->name.n : 0;

	to->row = *row;
	memcpy(to->name, row->name.p, n);
	to->name[n] = '\0';
	to->row.name = (struct span){ to->name, n };
}

static bool
collect(void *with, const struct mail_index_message *row)
{
	struct batch *b = with;
	const struct flag_rows *rows = b->rows;
	uint64_t keywords;
	uint32_t flags;

	if (b->n == BATCH) {
		b->next = row->uid;
		return false;
	}
	flag_rows_after(rows->how, row, &flags, &keywords);
	if (row->modseq > rows->how->unchanged_since) {
		if (rows->failed != NULL)
			uid_set_add(rows->failed, row->uid);
		return true;
	}
	if (flags != row->flags || keywords != row->keywords)
		keep_row(&b->row[b->n++], row);
	return true;
}

/* The next of "rest", which goes on behind them. */
static enum mail_result
change_some(struct batch *b, struct uid_set *rest, struct why *why)
{
	const struct flag_rows *rows = b->rows;
	struct mailbox *m = rows->mailbox;
	enum mail_result r = MAIL_OK;

	b->n = 0;
	b->next = 0;
	if (!mail_index_walk_set(m->account->index, m->folder->row.number, rest,
		collect, b))
		r = mailbox_index_failed(m, why);
	for (size_t i = 0; r == MAIL_OK && i < b->n; i++)
		r = rows->change(rows->with, &b->row[i], why);
	if (b->next > 1)
		uid_set_remove_range(rest, 1, b->next - 1);
	return r;
}

enum mail_result
flag_rows_change(const struct flag_rows *rows, const struct uid_set *uids,
    struct why *why)
{
	struct batch *b = mem_new(sizeof(*b));
	struct uid_set rest = { 0 };
	enum mail_result r;

	b->rows = rows;
	uid_set_copy(&rest, uids);
	do {
		r = change_some(b, &rest, why);
		if (b->next != 0 && rows->more != NULL)
			rows->more(rows->with, &rest);
	} while (r == MAIL_OK && b->next != 0);
	uid_set_fini(&rest);
	free(b);
	return r;
}
