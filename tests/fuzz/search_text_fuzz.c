/* SPDX-License-Identifier: ISC */
/*
 * A text (the first line) in a message (the rest): the answer is the same
 * however the message is cut, and its signature never denies what is found.
 */
#include "imapd/search_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/search_header.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span unread;
static size_t piece;

/* In place of imapd/search_message.c. */
int64_t
search_message_more(struct search_message *s, void *to, size_t n)
{
	struct span next = span_take(unread, piece < n ? piece : n);

	(void)s;
	if (next.n > 0)
		memcpy(to, next.p, next.n);
	unread = span_skip(unread, next.n);
	return (int64_t)next.n;
}

struct span
search_message_text(struct search_message *s)
{
	return s->text;
}

static bool
go_on(void *with)
{
	(void)with;
	return true;
}

static struct search_program *
parse(struct span text)
{
	const struct imap_arg args[] = {
		{ .type = IMAP_ATOM, .text = SPAN("TEXT") },
		{ .type = IMAP_LITERAL, .text = text },
		{ .type = IMAP_ATOM, .text = SPAN("BODY") },
		{ .type = IMAP_LITERAL, .text = text },
		{ .type = IMAP_END },
	};
	struct search_program *p;
	const char *error;

	return search_parse(args, 4, SPAN(""), 0, &p, &error) == SEARCH_OK ?
	    p :
	    NULL;
}

static void
search(struct search_reader *r, struct span message, size_t at, size_t cut,
    signed char answers[2], struct buf *signature)
{
	struct search_message m = { .blob.length = (int64_t)message.n,
		.text = span_take(message, at),
		.ended = at == message.n };
	struct why why;

	unread = span_skip(message, at);
	piece = cut;
	answers[0] = answers[1] = SEARCH_UNKNOWN;
	ensure(search_reader_read(r, &m, answers, true, signature, go_on, NULL,
		   &why) == MAIL_OK);
}

/* Where it can be done ahead, the same comes of it. */
static void
search_ahead(struct search_program *p, struct span message,
    const signed char answers[2], struct span signature)
{
	struct search_reader *r = search_reader_new(p);
	size_t room = message.n + 2 + SEARCH_WORDS_LEAST, n;
	char *made = mem_new(room);

	n = search_reader_ahead(r, message, made, room);
	ensure(n == 0 || memcmp(made, answers, 2) == 0);
	ensure(
	    n == 0 || span_equal((struct span){ made + 2, n - 2 }, signature));
	free(made);
	search_reader_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size };
	struct buf one = BUF_INIT(CACHE_VALUE_MAX), two = one;
	struct search_needle needle;
	struct search_program *p;
	struct search_reader *r;
	signed char whole[2], cut[2];
	struct span text;

	if (!span_cut(&message, "\n", false, &text))
		return 0;
	p = parse(text);
	if (p == NULL)
		return 0;
	r = search_reader_new(p);
	search(r, message, message.n, 1, whole, &one);
	search(r, message, message.n / 3, 1 + size % 7, cut, &two);
	ensure(whole[0] == cut[0] && whole[1] == cut[1]);
	ensure(span_equal(buf_span(&one), buf_span(&two)));
	ensure(whole[1] == SEARCH_NO || whole[0] == SEARCH_YES);
	search_ahead(p, message, whole, buf_span(&one));
	search_needle_make(&needle, p->leaves[0]->text);
	ensure(whole[0] == SEARCH_NO ||
	    search_words_may_have(buf_span(&one), &needle));
	free(needle.hashes);
	search_reader_free(&r);
	search_program_free(&p);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
