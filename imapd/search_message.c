/* SPDX-License-Identifier: ISC */
#include "imapd/search_message.h"

#include "imapd/search_header.h"
#include "imapd/sort_key.h"
#include "lib/base/ensure.h"
#include "lib/mail/header.h"

enum { RECORD_MAX = CACHE_VALUE_MAX };

/* Has the header been seen to its end? *at: where to go on looking. */
static bool
header_ends(struct search_message *s, size_t *at)
{
	struct span rest = span_skip(s->text, *at);
	struct header_field f;
	enum header_next r;

	if (*at == 0) {
		if (!header_skip_envelope(&rest, s->ended))
			return false;
		s->envelope = s->text.n - rest.n;
	}
	do {
		*at = s->text.n - rest.n;
		r = header_next(&rest, s->ended, &f);
	} while (r == HEADER_FIELD);
	s->header = *at;
	return r != HEADER_MORE;
}

/* Of one that was read as a whole nobody may ever ask. */
static void
part(struct search_message *s)
{
	size_t at = 0;

	if (!s->parted)
		(void)header_ends(s, &at);
	s->parted = true;
}

struct span
search_message_header(struct search_message *s)
{
	part(s);
	return span_skip(span_take(s->text, s->header), s->envelope);
}

struct span
search_message_text(struct search_message *s)
{
	part(s);
	return span_skip(s->text, s->envelope);
}

static enum mail_result
read_header(struct search_message *s, struct why *why)
{
	size_t at = 0;

	if (s->ended)
		return MAIL_OK;
	s->parted = true;
	do {
		char *to = buf_reserve(&s->head, SEARCH_FIRST_READ);
		int64_t n;

		if (to == NULL) /* longer than what is looked at */
			return MAIL_OK;
		n = store_blob_read(&s->blob, to, SEARCH_FIRST_READ);
		if (n < 0) {
			why_errno(why, "4.3.0", "cannot read message");
			return MAIL_FAILED;
		}
		s->ended = n == 0 || s->blob.next >= s->blob.length;
		buf_added(&s->head, (size_t)n);
		s->text = buf_span(&s->head);
	} while (!header_ends(s, &at));
	return MAIL_OK;
}

enum mail_result
search_message_open(struct search_message *s, struct mailbox *m, uint32_t uid,
    struct why *why)
{
	enum mail_result r;
	char *to;

	s->mailbox = m;
	s->uid = uid;
	s->header = s->envelope = 0;
	s->parted = false;
	if (s->head.max == 0)
		buf_init(&s->head, SEARCH_HEADER_MAX);
	buf_reset(&s->head);
	to = buf_reserve(&s->head, SEARCH_FIRST_READ);
	ensure(to != NULL);
	r = mailbox_fetch_start(m, uid, &s->blob, to, SEARCH_FIRST_READ,
	    &s->text, why);
	if (r != MAIL_OK)
		return r;
	s->ended = s->blob.next == s->blob.length;
	r = read_header(s, why);
	if (r != MAIL_OK)
		search_message_close(s);
	return r;
}

void
search_message_close(struct search_message *s)
{
	store_blob_close(&s->blob);
}

int64_t
search_message_more(struct search_message *s, void *to, size_t n)
{
	int64_t r = s->ended ? 0 : store_blob_read(&s->blob, to, n);

	s->ended = r == 0;
	return r;
}

/* A copy of what is kept in a slot. */
static void
copy_kept(struct search_message *s, enum cache_slot slot, struct buf *out)
{
	buf_reset(out);
	mailbox_hold(s->mailbox);
	buf_add_span(out, mailbox_cached(s->mailbox, s->uid, slot));
	mailbox_release(s->mailbox);
}

void
search_message_keep(struct search_message *s, const struct span *names,
    size_t count)
{
	struct buf old = BUF_INIT(RECORD_MAX), record = BUF_INIT(RECORD_MAX);
	struct span header = search_message_header(s);
	struct sort_key key;

	copy_kept(s, CACHE_HEADER, &old);
	search_header_record(header, names, count, buf_span(&old), &record);
	if (!record.overflow && !span_equal(buf_span(&old), buf_span(&record)))
		mailbox_cache(s->mailbox, s->uid, CACHE_HEADER,
		    buf_span(&record));
	copy_kept(s, CACHE_SORT, &old);
	if (!sort_key_read(buf_span(&old), &key)) {
		sort_key_make(header, &record);
		if (!record.overflow)
			mailbox_cache(s->mailbox, s->uid, CACHE_SORT,
			    buf_span(&record));
	}
	buf_fini(&old);
	buf_fini(&record);
}
