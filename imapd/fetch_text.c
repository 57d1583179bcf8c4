/* SPDX-License-Identifier: ISC */
/*
 * Items that are made of a message's text once, and kept beside it as the
 * very text that is sent.
 */
#include "imapd/fetch.h"

#include <string.h>

#include "imapd/body_structure.h"
#include "imapd/envelope.h"
#include "imapd/fetch_kept.h"
#include "imapd/thread_id.h"
#include "lib/base/ensure.h"
#include "lib/imap/imap_write.h"

enum { KEPT_VERSION = 1, KEPT_HEAD = 5 };

static const struct text_item {
	unsigned int want;
	enum cache_slot slot;
	const char *name;
} text_items[] = {
	{ FETCH_ENVELOPE, CACHE_ENVELOPE, "ENVELOPE " },
	{ FETCH_BODY, CACHE_BODY, "BODY " },
	{ FETCH_BODYSTRUCTURE, CACHE_BODYSTRUCTURE, "BODYSTRUCTURE " },
	{ FETCH_THREADID, CACHE_THREADID, "THREADID " },
	{ FETCH_PREVIEW, CACHE_PREVIEW, "PREVIEW " },
};

enum { TEXT_ITEMS = sizeof(text_items) / sizeof(text_items[0]) };

/* Against damage, not against enemies. */
static uint32_t
checksum(struct span s)
{
	uint64_t sum = s.n, word;

	while (s.n >= sizeof(word)) {
		memcpy(&word, s.p, sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 32;
		s = (struct span){ s.p + sizeof(word), s.n - sizeof(word) };
	}
	word = 0;
	if (s.n > 0)
		memcpy(&word, s.p, s.n);
	sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(sum >> 32);
}

bool
fetch_kept_open(struct span value, struct span *text)
{
	uint32_t sum;

	if (value.p == NULL || value.n <= KEPT_HEAD ||
	    value.p[0] != KEPT_VERSION)
		return false;
	memcpy(&sum, value.p + 1, sizeof(sum));
	*text = (struct span){ value.p + KEPT_HEAD, value.n - KEPT_HEAD };
	return sum == checksum(*text);
}

void
fetch_kept_put(struct mailbox *m, uint32_t uid, enum cache_slot slot,
    struct span text)
{
	struct buf value = BUF_INIT(CACHE_VALUE_MAX);
	uint32_t sum = checksum(text);

	buf_add_char(&value, KEPT_VERSION);
	buf_add(&value, &sum, sizeof(sum));
	if (buf_add_span(&value, text))
		mailbox_cache(m, uid, slot, buf_span(&value));
	buf_fini(&value);
}

/* What is kept of the structure is rev1's form. */
static bool
is_ours(const struct imap_session *s, const struct text_item *item,
    struct span text)
{
	return !imap_enabled(s, ENABLED_REV2) ||
	    (item->want & (FETCH_BODY | FETCH_BODYSTRUCTURE)) == 0 ||
	    !body_structure_differs(text);
}

unsigned int
fetch_kept(struct imap_session *s, uint32_t uid, unsigned int wants)
{
	unsigned int missing = 0;
	struct span text;

	for (size_t i = 0; i < TEXT_ITEMS; i++) {
		const struct text_item *item = &text_items[i];

		if ((wants & item->want) == 0)
			continue;
		if (fetch_kept_open(mailbox_cached(s->mailbox, uid, item->slot),
			&text) &&
		    is_ours(s, item, text)) {
			fetch_item(s, item->name);
			buf_add_span(&s->out, text);
		} else if (item->want == FETCH_PREVIEW &&
		    (wants & FETCH_LAZY) != 0) {
			fetch_item(s, "PREVIEW NIL");
		} else {
			missing |= item->want;
		}
	}
	return missing;
}

static enum mail_result
write_from_header(struct fetch_message *m, unsigned int want, struct buf *out)
{
	struct buf own = BUF_INIT(MIME_TREE_HEADER_MAX);
	struct mime_envelope e;
	struct span header;
	enum mail_result result = fetch_header(m, &own, &header);

	if (result == MAIL_OK && want == FETCH_ENVELOPE) {
		mime_envelope_read(header, &e);
		envelope_write(&e, out);
	} else if (result == MAIL_OK) {
		thread_id_write(header, out);
	}
	buf_fini(&own);
	return result;
}

static enum mail_result
write_preview(struct fetch_message *m, struct buf *out)
{
	struct buf text = BUF_INIT(4096);
	enum mail_result result = fetch_preview(m, &text);

	if (result == MAIL_OK)
		imap_write_string(out, buf_span(&text), false);
	buf_fini(&text);
	return result;
}

static enum mail_result
write_item(struct fetch_message *m, unsigned int want, bool rev2,
    struct buf *out)
{
	enum mail_result result;

	switch (want) {
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		result = fetch_tree(m, true);
		if (result == MAIL_OK)
			body_structure_write(m->tree,
			    want == FETCH_BODYSTRUCTURE, rev2, out);
		return result;
	case FETCH_PREVIEW:
		return write_preview(m, out);
	default:
		return write_from_header(m, want, out);
	}
}

static enum mail_result
make_item(struct fetch_message *m, const struct text_item *item, enum io *io)
{
	struct imap_session *s = m->s;
	struct buf text = BUF_INIT(ENVELOPE_TEXT_MAX);
	enum mail_result result = write_item(m, item->want, false, &text);

	if (result == MAIL_OK) {
		fetch_kept_put(s->mailbox, m->uid, item->slot, buf_span(&text));
		if (!is_ours(s, item, buf_span(&text))) {
			buf_reset(&text);
			result = write_item(m, item->want, true, &text);
		}
	}
	if (result == MAIL_OK) {
		fetch_item(s, item->name);
		ensure(!text.overflow);
		*io = fetch_add(m, buf_span(&text));
	}
	buf_fini(&text);
	return result;
}

enum mail_result
fetch_make(struct fetch_message *m, unsigned int wants, enum io *io)
{
	enum mail_result result = MAIL_OK;

	*io = IO_OK;
	for (size_t i = 0; i < TEXT_ITEMS; i++) {
		if ((wants & text_items[i].want) == 0)
			continue;
		result = make_item(m, &text_items[i], io);
		if (result != MAIL_OK || *io != IO_OK)
			break;
	}
	return result;
}
