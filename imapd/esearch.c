/* SPDX-License-Identifier: ISC */
#include "imapd/esearch.h"

#include <inttypes.h>

enum { PIECE = 16 * 1024 };

void
esearch_spill(struct imap_session *s)
{
	if (s->out.n >= PIECE)
		imap_send(s); /* a dead connection shows at its next command */
}

static void
write_tag(struct imap_session *s, struct span tag)
{
	buf_add_text(&s->out, "* ESEARCH (TAG ");
	imap_write_string(&s->out, tag, false);
}

void
esearch_begin(struct imap_session *s, struct span tag, bool uid)
{
	write_tag(s, tag);
	buf_add_text(&s->out, uid ? ") UID" : ")");
}

void
esearch_begin_in(struct imap_session *s, struct span tag, const char *mailbox,
    uint32_t uidvalidity)
{
	write_tag(s, tag);
	buf_add_text(&s->out, " MAILBOX ");
	imap_write_mailbox(&s->out, mailbox, imap_utf8(s));
	buf_printf(&s->out, " UIDVALIDITY %" PRIu32 ") UID", uidvalidity);
}

static void
write_range(struct imap_session *s, const char *separator, uint32_t first,
    uint32_t last)
{
	if (first == last)
		buf_printf(&s->out, "%s%" PRIu32, separator, first);
	else
		buf_printf(&s->out, "%s%" PRIu32 ":%" PRIu32, separator, first,
		    last);
	esearch_spill(s);
}

void
esearch_set(struct imap_session *s, const struct uid_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		write_range(s, i > 0 ? "," : "", set->ranges[i].first,
		    set->ranges[i].last);
}

void
esearch_list(struct imap_session *s, const uint32_t *numbers, uint64_t count)
{
	for (uint64_t i = 0, end; i < count; i = end) {
		for (end = i + 1;
		     end < count && numbers[end] == numbers[end - 1] + 1;)
			end++;
		write_range(s, i > 0 ? "," : "", numbers[i], numbers[end - 1]);
	}
}

void
esearch_numbers(struct imap_session *s, const struct uid_set *set)
{
	uint32_t n = 0;

	while (uid_set_next(set, &n)) {
		buf_printf(&s->out, " %" PRIu32, n);
		esearch_spill(s);
	}
}

void
esearch_slice(const struct uid_set *set, uint64_t from, uint64_t count,
    struct uid_set *out)
{
	for (size_t i = 0; i < set->count && count > 0; i++) {
		uint32_t first = set->ranges[i].first;
		uint64_t members = (uint64_t)set->ranges[i].last - first + 1;

		if (from >= members) {
			from -= members;
			continue;
		}
		first += (uint32_t)from;
		members -= from;
		from = 0;
		if (members > count)
			members = count;
		uid_set_add_range(out, first, first + (uint32_t)(members - 1));
		count -= members;
	}
}

void
esearch_known_as(const struct imap_session *s, bool uid,
    const struct uid_set *uids, struct uid_set *out)
{
	if (uid) {
		uid_set_add_set(out, uids);
		return;
	}
	for (size_t i = 0; i < uids->count; i++)
		uid_set_add_range(out,
		    mailbox_view_number(&s->view, uids->ranges[i].first),
		    mailbox_view_number(&s->view, uids->ranges[i].last));
}
