/* SPDX-License-Identifier: ISC */
/*
 * A message while it is told: opened once, read in one call where it is
 * small, and taken apart only when something asks for its parts.
 */
#include "imapd/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imapd/fetch_kept.h"
#include "lib/base/ensure.h"
#include "lib/mail/header.h"
#include "lib/task/task.h"

/* Another kind of store than files: read in order, or from the beginning. */
static int64_t
read_stream(struct fetch_message *m, uint64_t at, void *to, size_t n)
{
	char skipped[4096];
	int64_t got;

	if (at < (uint64_t)m->blob.next) {
		store_blob_close(&m->blob);
		m->open = mailbox_fetch(m->s->mailbox, m->uid, &m->blob,
			      &m->why) == MAIL_OK;
		if (!m->open) {
			errno = ESTALE;
			return -1;
		}
	}
	while ((uint64_t)m->blob.next < at) {
		uint64_t left = at - (uint64_t)m->blob.next;

		got = store_blob_read(&m->blob, skipped,
		    left < sizeof(skipped) ? left : sizeof(skipped));
		if (got <= 0)
			return got;
	}
	return store_blob_read(&m->blob, to, n);
}

int64_t
fetch_read(struct fetch_message *m, uint64_t at, void *to, size_t n)
{
	size_t have = 0;
	int64_t got = 1;

	while (have < n && got > 0) {
		char *p = (char *)to + have;

		if (m->blob.fd != -1)
			got =
			    pread(m->blob.fd, p, n - have, (off_t)(at + have));
		else
			got = read_stream(m, at + have, p, n - have);
		if (got > 0)
			have += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	return got < 0 ? -1 : (int64_t)have;
}

static enum mail_result
changed(struct fetch_message *m)
{
	why_set(&m->why, "4.2.0", "a message changed while it was read");
	return MAIL_FAILED;
}

enum mail_result
fetch_open(struct fetch_message *m)
{
	enum mail_result result;
	struct span text;
	int64_t got;
	size_t n;

	if (m->open)
		return MAIL_OK;
	mailbox_read_ahead(m->s->mailbox, m->next->uids + m->next->at,
	    m->next->count - m->next->at, FETCH_WINDOW);
	result = mailbox_fetch_start(m->s->mailbox, m->uid, &m->blob, m->room,
	    FETCH_WINDOW, &text, &m->why);
	if (result != MAIL_OK)
		return result;
	m->open = true;
	m->whole = m->blob.length <= FETCH_WINDOW;
	m->window = text.p;
	m->window_n = text.n;
	if (m->blob.next == m->blob.length)
		return MAIL_OK;
	m->window = m->room;
	n = m->whole ? (size_t)m->blob.length : FETCH_FIRST;
	got = fetch_read(m, 0, m->room, n);
	m->window_n = got < 0 ? 0 : (size_t)got;
	if (got == (int64_t)n)
		return MAIL_OK;
	result = changed(m);
	if (got < 0)
		why_errno(&m->why, "4.2.0", "reading a message");
	fetch_close(m);
	return result;
}

void
fetch_close(struct fetch_message *m)
{
	if (m->open)
		store_blob_close(&m->blob);
	m->open = m->whole = m->has_head = m->tree_texts = false;
	m->window_n = 0;
	mime_tree_free(&m->tree);
}

/* The positions of parts that were kept. */
static void
find_kept(struct fetch_message *m)
{
	struct span parts;

	mailbox_hold(m->s->mailbox);
	if (fetch_kept_open(mailbox_cached(m->s->mailbox, m->uid, CACHE_PARTS),
		&parts))
		m->tree = mime_tree_unpack(parts);
	mailbox_release(m->s->mailbox);
	/* of another message? */
	if (m->tree != NULL &&
	    mime_tree_size(m->tree) != (uint64_t)m->blob.length)
		mime_tree_free(&m->tree);
}

static void
keep_parts(struct fetch_message *m)
{
	struct buf packed = BUF_INIT(CACHE_VALUE_MAX);

	if (mime_tree_pack(m->tree, &packed))
		fetch_kept_put(m->s->mailbox, m->uid, CACHE_PARTS,
		    buf_span(&packed));
	buf_fini(&packed);
}

/* What is behind the window. */
static enum mail_result
put_rest(struct fetch_message *m, struct mime_tree_builder *b)
{
	char *chunk = mem_resize(NULL, FETCH_WINDOW);
	uint64_t at = m->window_n;
	int64_t got;

	while ((got = fetch_read(m, at, chunk, FETCH_WINDOW)) > 0) {
		mime_tree_put(b, (struct span){ chunk, (size_t)got });
		at += (uint64_t)got;
		(void)wait_yield();
	}
	free(chunk);
	if (got < 0) {
		why_errno(&m->why, "4.2.0", "reading a message");
		return MAIL_FAILED;
	}
	return at == (uint64_t)m->blob.length ? MAIL_OK : changed(m);
}

/*
 * Parts of small messages are not kept: to find them costs less than to read
 * the message, which must be read anyway.
 */
enum mail_result
fetch_tree(struct fetch_message *m, bool texts)
{
	enum mail_result result = fetch_open(m);
	struct mime_tree_builder *b;

	if (result != MAIL_OK)
		return result;
	if (m->tree == NULL && !texts && !m->whole)
		find_kept(m);
	if (m->tree != NULL && (m->tree_texts || !texts))
		return MAIL_OK;
	mime_tree_free(&m->tree);
	b = mime_tree_begin();
	mime_tree_put(b, (struct span){ m->window, m->window_n });
	if (!m->whole)
		result = put_rest(m, b);
	m->tree = mime_tree_end(&b);
	m->tree_texts = true;
	if (result != MAIL_OK)
		mime_tree_free(&m->tree);
	else if (!m->whole)
		keep_parts(m);
	return result;
}

/* Does the header end in these bytes of the message? *n: where. */
static bool
header_ends(struct span text, bool last, size_t *n)
{
	struct span rest = text;
	struct header_field f;
	enum header_next next = HEADER_FIELD;

	if (!header_skip_envelope(&rest, last))
		return false;
	while (next == HEADER_FIELD)
		next = header_next(&rest, last, &f);
	*n = (size_t)(text.n - rest.n);
	return next != HEADER_MORE;
}

enum mail_result
fetch_header(struct fetch_message *m, struct buf *own, struct span *header)
{
	enum mail_result result = fetch_open(m);
	struct span text = { m->window, m->window_n };
	size_t n = 0;
	int64_t got;
	char *to;

	if (result != MAIL_OK)
		return result;
	if (header_ends(text, m->whole, &n)) {
		*header = span_take(text, n);
		return MAIL_OK;
	}
	to = buf_reserve(own, MIME_TREE_HEADER_MAX);
	ensure(to != NULL);
	got = fetch_read(m, 0, to, MIME_TREE_HEADER_MAX);
	if (got < 0) {
		why_errno(&m->why, "4.2.0", "reading a message");
		return MAIL_FAILED;
	}
	buf_added(own, (size_t)got);
	text = buf_span(own);
	header_ends(text, true, &n);
	*header = span_take(text, n);
	return MAIL_OK;
}
