/* SPDX-License-Identifier: ISC */
/*
 * Whatever a message holds, its ENVELOPE, BODY and BODYSTRUCTURE are valid
 * by the grammar of RFC 3501 and RFC 9051 section 9, to the last byte.
 */
#include "imapd/body_structure.h"

#include <stdint.h>
#include <string.h>

#include "imapd/envelope.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *at, *end;

static bool
next_is(const char *text)
{
	size_t n = strlen(text);

	return (size_t)(end - at) >= n && memcmp(at, text, n) == 0;
}

static bool
take(const char *text)
{
	if (!next_is(text))
		return false;
	at += strlen(text);
	return true;
}

static void
need(const char *text)
{
	ensure(take(text));
}

static uint64_t
number(void)
{
	uint64_t n = 0;

	ensure(at < end && *at >= '0' && *at <= '9');
	while (at < end && *at >= '0' && *at <= '9')
		n = n * 10 + (uint64_t)(*at++ - '0');
	return n;
}

static void
string(void)
{
	uint64_t n;

	if (take("{")) {
		n = number();
		need("}\r\n");
		ensure(n <= (uint64_t)(end - at));
		ensure(memchr(at, '\0', n) == NULL);
		at += n;
		return;
	}
	need("\"");
	while (!take("\"")) {
		ensure(at < end);
		if (take("\\"))
			ensure(at < end && (*at == '"' || *at == '\\'));
		ensure(*at != '\r' && *at != '\n' && *at > 0);
		at++;
	}
}

static void
nstring(void)
{
	if (!take("NIL"))
		string();
}

/* One address; a host that is NIL says it is about a group. */
static void
address(void)
{
	bool mailbox, host;

	need("(");
	nstring();
	need(" ");
	nstring();
	need(" ");
	mailbox = !next_is("NIL");
	nstring();
	need(" ");
	host = !next_is("NIL");
	nstring();
	need(")");
	ensure(mailbox || !host);
}

static void
addresses(void)
{
	if (take("NIL"))
		return;
	need("(");
	do
		address();
	while (!take(")"));
}

static void
envelope(void)
{
	need("(");
	nstring();
	need(" ");
	nstring();
	need(" ");
	for (int i = 0; i < 6; i++) {
		addresses();
		need(" ");
	}
	nstring();
	need(" ");
	nstring();
	need(")");
}

static void
parameters(void)
{
	if (take("NIL"))
		return;
	need("(");
	do {
		string();
		need(" ");
		string();
	} while (take(" "));
	need(")");
}

static void
extension(void)
{
	need(" ");
	if (!take("NIL")) {
		need("(");
		string();
		need(" ");
		parameters();
		need(")");
	}
	need(" ");
	if (take("(")) {
		do
			string();
		while (take(" "));
		need(")");
	} else {
		nstring();
	}
	need(" ");
	nstring();
}

static void body(bool extensible, bool rev2);

static void
multipart(bool extensible, bool rev2)
{
	do
		body(extensible, rev2);
	while (next_is("("));
	need(" ");
	string();
	if (extensible) {
		need(" ");
		parameters();
		extension();
	}
}

static void
leaf(bool extensible, bool rev2)
{
	bool text = next_is("\"text\" ");
	bool message = next_is("\"message\" \"rfc822\" ") ||
	    (rev2 && next_is("\"message\" \"global\" "));

	string();
	need(" ");
	string();
	need(" ");
	parameters();
	need(" ");
	nstring();
	need(" ");
	nstring();
	need(" ");
	string();
	need(" ");
	number();
	if (message) {
		need(" ");
		envelope();
		need(" ");
		body(extensible, rev2);
	}
	if (message || text) {
		need(" ");
		number();
	}
	if (extensible) {
		need(" ");
		nstring();
		extension();
	}
}

static void
body(bool extensible, bool rev2)
{
	need("(");
	if (next_is("("))
		multipart(extensible, rev2);
	else
		leaf(extensible, rev2);
	need(")");
}

static void
look_at(const struct buf *out)
{
	ensure(!out->overflow);
	at = out->p;
	end = out->p + out->n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size };
	struct mime_tree_builder *b = mime_tree_begin();
	struct buf out = BUF_INIT(ENVELOPE_TEXT_MAX);
	struct mime_envelope e;
	struct mime_tree *t;

	mime_envelope_read(message, &e);
	envelope_write(&e, &out);
	look_at(&out);
	envelope();
	ensure(at == end);
	mime_tree_put(b, message);
	t = mime_tree_end(&b);
	for (int i = 0; i < 4; i++) {
		buf_reset(&out);
		body_structure_write(t, (i & 1) != 0, (i & 2) != 0, &out);
		look_at(&out);
		body((i & 1) != 0, (i & 2) != 0);
		ensure(at == end);
	}
	mime_tree_free(&t);
	buf_fini(&out);
	return 0;
}
