/* SPDX-License-Identifier: ISC */
/* SORT (RFC 5256), with the answers of ESORT (RFC 5267 section 3). */
#include <inttypes.h>
#include <stdlib.h>

#include "imapd/context.h"
#include "imapd/esearch.h"
#include "imapd/search.h"
#include "imapd/sort.h"

struct sorted {
	uint32_t *order; /* numbers as the client knows them */
	uint64_t count;
};

static bool
parse_request(struct imap_session *s, struct search_request *r,
    struct sort_program *sort)
{
	if (!search_take_return(s, r))
		return false;
	if (r->count == 0 || !sort_parse(r->args, sort)) {
		reply_bad(s, r->command, "Invalid sort criteria");
		return false;
	}
	r->args++;
	r->count--;
	return search_take_charset(s, r) && search_take_keys(s, r);
}

static bool
sort_found(struct imap_session *s, struct search_request *r,
    const struct sort_program *sort, const struct uid_set *found,
    struct sorted *out)
{
	const struct sort_progress progress = { search_progress, r };
	enum mail_result result;
	struct why why = { 0 };

	result = sort_run(s->mailbox, sort, found, &progress, &out->order,
	    &out->count, &why);
	if (result != MAIL_OK) {
		/* a client that is gone is why it ended */
		if (s->state != IMAP_LOGGED_OUT)
			reply_result(s, r->command, result, &why);
		return false;
	}
	for (uint64_t i = 0; i < out->count && !r->uid; i++)
		out->order[i] = mailbox_view_number(&s->view, out->order[i]);
	return true;
}

static void
write_modseq(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found, const char *form)
{
	uint64_t modseq =
	    r->program->modseq ? search_modseq(s->mailbox, found) : 0;

	if (modseq != 0)
		buf_printf(&s->out, form, modseq);
}

static void
write_plain(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found, const struct sorted *sorted)
{
	buf_add_text(&s->out, "* SORT");
	for (uint64_t i = 0; i < sorted->count; i++) {
		buf_printf(&s->out, " %" PRIu32, sorted->order[i]);
		esearch_spill(s);
	}
	write_modseq(s, r, found, " (MODSEQ %" PRIu64 ")");
	buf_add_text(&s->out, "\r\n");
}

static void
write_partial(struct imap_session *s, const struct search_request *r,
    const struct sorted *sorted)
{
	uint64_t from, count;

	search_return_partial(&r->wants, sorted->count, &from, &count);
	buf_add_text(&s->out, " PARTIAL (");
	search_return_range(&r->wants, &s->out);
	buf_add_char(&s->out, ' ');
	if (count == 0)
		buf_add_text(&s->out, "NIL");
	esearch_list(s, sorted->order + from, count);
	buf_add_char(&s->out, ')');
}

/* MIN and MAX are the first and the last in this order (RFC 5267, 3.1). */
static void
write_extended(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found, const struct sorted *sorted)
{
	unsigned int options = r->wants.options;

	if (options == RETURN_SAVE)
		return;
	esearch_begin(s, r->command->tag, r->uid);
	if ((options & RETURN_MIN) != 0 && sorted->count > 0)
		buf_printf(&s->out, " MIN %" PRIu32, sorted->order[0]);
	if ((options & RETURN_MAX) != 0 && sorted->count > 0)
		buf_printf(&s->out, " MAX %" PRIu32,
		    sorted->order[sorted->count - 1]);
	if ((options & RETURN_COUNT) != 0)
		buf_printf(&s->out, " COUNT %" PRIu64, sorted->count);
	if ((options & RETURN_ALL) != 0 && sorted->count > 0) {
		buf_add_text(&s->out, " ALL ");
		esearch_list(s, sorted->order, sorted->count);
	}
	if ((options & RETURN_PARTIAL) != 0)
		write_partial(s, r, sorted);
	write_modseq(s, r, found, " MODSEQ %" PRIu64);
	buf_add_text(&s->out, "\r\n");
}

/* What SAVE keeps, by places in this order. */
static void
save_sorted(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found, const struct sorted *sorted)
{
	const unsigned int all = RETURN_ALL | RETURN_COUNT;
	const unsigned int some = RETURN_MIN | RETURN_MAX | RETURN_PARTIAL;
	unsigned int options = r->wants.options;
	struct uid_set numbers = { 0 };
	uint64_t from = 0, count = 0;

	if ((options & RETURN_SAVE) == 0)
		return;
	if ((options & all) != 0 || (options & some) == 0) {
		search_save(s, r, found);
		return;
	}
	if ((options & RETURN_MIN) != 0 && sorted->count > 0)
		uid_set_add(&numbers, sorted->order[0]);
	if ((options & RETURN_MAX) != 0 && sorted->count > 0)
		uid_set_add(&numbers, sorted->order[sorted->count - 1]);
	if ((options & RETURN_PARTIAL) != 0)
		search_return_partial(&r->wants, sorted->count, &from, &count);
	while (count-- > 0)
		uid_set_add(&numbers, sorted->order[from++]);
	uid_set_fini(&s->saved);
	if (r->uid)
		uid_set_copy(&s->saved, &numbers);
	else
		mailbox_view_uids(&s->view, &numbers, &s->saved);
	uid_set_fini(&numbers);
}

static void
answer(struct imap_session *s, struct search_request *r,
    const struct sort_program *sort, const struct uid_set *found)
{
	struct sorted sorted = { 0 };
	bool told = true;

	if (!sort_found(s, r, sort, found, &sorted))
		return;
	save_sorted(s, r, found, &sorted);
	if (r->wants.given)
		write_extended(s, r, found, &sorted);
	else
		write_plain(s, r, found, &sorted);
	free(sorted.order);
	if ((r->wants.options & RETURN_UPDATE) != 0)
		told = context_begin(s, r, sort, found);
	reply_ok(s, r->command, NULL,
	    told ? "Sort completed" : "Sort completed, will not notify");
}

void
imap_sort(struct imap_session *s, const struct imap_command *c)
{
	struct uid_set found = { 0 };
	struct sort_program sort;
	struct search_request r;

	if (!search_begin(s, c, &r))
		return;
	if (parse_request(s, &r, &sort) && search_find(s, &r, false, 0, &found))
		answer(s, &r, &sort, &found);
	uid_set_fini(&found);
	search_end(&r);
}
