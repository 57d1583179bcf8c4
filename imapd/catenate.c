/* SPDX-License-Identifier: ISC */
/*
 * Messages made of parts: CATENATE, RFC 4469, with UTF8 parts (RFC 6855
 * section 4). The parts of URLs are what FETCH would have sent: line ends are
 * CRLF when positions in them are counted.
 *
 * SECURITY: URLs name messages of this server only (imap_url.h); the mailbox
 * name goes the way that all names go, and its rights are asked for.
 */

#include "imapd/append.h"

#include <stdlib.h>

#include "imapd/namespaces.h"
#include "imapd/section.h"
#include "lib/imap/imap_url.h"

enum {
	CHUNK = 32768,
	HEADER_MOST = MIME_TREE_HEADER_MAX,
};

/* A message that a URL names, and the bytes of it that are wanted. */
struct source {
	struct appending *a;
	struct mailbox *mailbox; /* opened here; NULL: the selected one */
	struct store_blob blob;
	bool open;
	bool cr; /* the last byte was one */
	uint64_t skip, left; /* of what would be sent */
	char in[CHUNK], out[2 * CHUNK];
};

/* "BADURL /x/;UID=1": bytes that no response code may have are encoded. */
static bool
bad_url(struct appending *a, struct span url)
{
	struct buf code = BUF_INIT(3 * 8192 + 16);
	size_t i;

	buf_add_text(&code, "BADURL ");
	for (i = 0; i < url.n; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c > ' ' && c < 0x7f && c != ']' && c != '[')
			buf_add_char(&code, (char)c);
		else
			buf_printf(&code, "%%%02X", c);
	}
	reply_no(a->s, a->c, buf_text(&code), "There is no such part");
	buf_fini(&code);
	return false;
}

/* With CRLF line ends; how many bytes that makes in "out". */
static size_t
to_wire(struct source *x, size_t n)
{
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		if (x->in[i] == '\n' && !x->cr)
			x->out[used++] = '\r';
		x->cr = x->in[i] == '\r';
		x->out[used++] = x->in[i];
	}
	return used;
}

/* What of these is wanted goes into the message. */
static bool
put(struct source *x, struct span bytes)
{
	size_t skip = bytes.n;

	if (skip > x->skip)
		skip = (size_t)x->skip;
	x->skip -= skip;
	bytes = span_skip(bytes, skip);
	if (bytes.n > x->left)
		bytes.n = (size_t)x->left;
	x->left -= bytes.n;
	return bytes.n == 0 || append_bytes(x->a, bytes);
}

static bool
unreadable(struct source *x)
{
	reply_no(x->a->s, x->a->c, "SERVERBUG", "A part cannot be read");
	return false;
}

/* To a position as stored. */
static bool
go_to(struct source *x, uint64_t at)
{
	int64_t n;

	if (x->blob.fd >= 0) {
		x->blob.next = (int64_t)at;
		return true;
	}
	for (; at > 0; at -= (uint64_t)n) {
		n = store_blob_read(&x->blob, x->in,
		    at < CHUNK ? (size_t)at : CHUNK);
		if (n <= 0)
			return unreadable(x);
	}
	return true;
}

static bool
put_range(struct source *x, uint64_t at, uint64_t size)
{
	int64_t n;

	if (!go_to(x, at))
		return false;
	for (; size > 0 && x->left > 0; size -= (uint64_t)n) {
		n = store_blob_read(&x->blob, x->in,
		    size < CHUNK ? (size_t)size : CHUNK);
		if (n <= 0)
			return unreadable(x);
		if (!put(x, (struct span){ x->out, to_wire(x, (size_t)n) }))
			return false;
	}
	return true;
}

/* The fields of a header that are asked for. */
static bool
put_fields(struct source *x, const struct section *section,
    const struct section_range *range)
{
	struct buf header = BUF_INIT(HEADER_MOST), out = BUF_INIT(SIZE_MAX);
	uint64_t left = range->size < HEADER_MOST ? range->size : HEADER_MOST;
	bool done = go_to(x, range->at);
	int64_t n;

	for (; done && left > 0; left -= (uint64_t)n) {
		n = store_blob_read(&x->blob, x->in,
		    left < CHUNK ? (size_t)left : CHUNK);
		if (n <= 0)
			done = unreadable(x);
		else
			buf_add(&header, x->in, (size_t)n);
	}
	if (done) {
		section_filter(section, buf_span(&header), &out);
		done = put(x, buf_span(&out));
	}
	buf_fini(&header);
	buf_fini(&out);
	return done;
}

static struct mime_tree *
read_tree(struct source *x)
{
	struct mime_tree_builder *b = mime_tree_begin();
	struct mime_tree *tree;
	int64_t n;

	while ((n = store_blob_read(&x->blob, x->in, CHUNK)) > 0)
		mime_tree_put(b, (struct span){ x->in, (size_t)n });
	tree = mime_tree_end(&b);
	if (n < 0)
		mime_tree_free(&tree);
	return tree;
}

static bool
reopen(struct source *x, const struct imap_url *u)
{
	struct mailbox *m = x->mailbox ? x->mailbox : x->a->s->mailbox;
	struct why why;

	if (x->open)
		store_blob_close(&x->blob);
	x->open = mailbox_fetch(m, u->uid, &x->blob, &why) == MAIL_OK;
	return x->open;
}

/* A part of the message: its structure says where that is. */
static bool
put_section(struct source *x, const struct imap_url *u, struct span url)
{
	struct arena *arena = arena_new();
	struct section_range range;
	struct mime_tree *tree = NULL;
	struct section section;
	bool done = false;
	const char *item;

	item = arena_printf(arena, "BODY.PEEK[%s]", buf_text(&u->section));
	if (!section_parse(arena, span_of(item), &section))
		bad_url(x->a, url);
	else if ((tree = read_tree(x)) == NULL)
		unreadable(x);
	else if (!section_locate(&section, tree, &range, NULL) || !reopen(x, u))
		bad_url(x->a, url);
	else if (section.what == SECTION_FIELDS ||
	    section.what == SECTION_FIELDS_NOT)
		done = put_fields(x, &section, &range);
	else
		done = put_range(x, range.at, range.size);
	mime_tree_free(&tree);
	arena_free(&arena);
	return done;
}

/* The mailbox of the URL is there, and still the one that was meant. */
static bool
find_mailbox(struct source *x, const struct imap_url *u)
{
	struct mailbox *m = x->a->s->mailbox;
	struct mailbox_status status;
	struct why why;

	if (u->mailbox.n > 0) {
		if (namespaces_open(x->a->s, buf_span(&u->mailbox), ACL_READ,
			&x->mailbox, NULL, &why) != MAIL_OK)
			return false;
		m = x->mailbox;
	}
	if (m == NULL)
		return false;
	return u->uidvalidity == 0 ||
	    (mailbox_status(m, 0, &status, &why) == MAIL_OK &&
		status.uidvalidity == u->uidvalidity);
}

static bool
put_url(struct source *x, struct span url)
{
	struct imap_url u;
	bool done;

	if (!imap_url_parse(url, &u) || !find_mailbox(x, &u) ||
	    !reopen(x, &u)) {
		done = bad_url(x->a, url);
	} else {
		x->skip = u.partial ? u.offset : 0;
		x->left = u.partial ? u.length : UINT64_MAX;
		if (u.section.n > 0)
			done = put_section(x, &u, url);
		else
			done = put_range(x, 0, (uint64_t)x->blob.length);
	}
	imap_url_fini(&u);
	return done;
}

static bool
url_part(struct appending *a)
{
	struct source *x;
	struct span url;
	bool done;

	if (!imap_arg_astring(a->at, &url))
		return append_bad(a, "Missing URL");
	x = mem_new(sizeof(*x));
	x->a = a;
	done = put_url(x, url);
	if (x->open)
		store_blob_close(&x->blob);
	mailbox_close(&x->mailbox);
	free(x);
	a->at++;
	return done;
}

bool
append_catenate(struct appending *a)
{
	bool done = append_enter(a);

	if (done && a->at->type == IMAP_END)
		return append_bad(a, "Missing parts");
	while (done && a->at->type != IMAP_END && a->at->type != IMAP_CLOSE) {
		if (imap_arg_is(a->at, "TEXT")) {
			a->at++;
			done = append_literal(a);
		} else if (imap_arg_is(a->at, "UTF8")) {
			a->at++;
			done = append_utf8(a);
		} else if (imap_arg_is(a->at, "URL")) {
			a->at++;
			done = url_part(a);
		} else {
			done = append_bad(a, "Unknown part");
		}
	}
	return done && append_leave(a);
}
