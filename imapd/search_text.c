/* SPDX-License-Identifier: ISC */
#include "imapd/search_text.h"

#include <stdlib.h>
#include <string.h>

#include "imapd/search_header.h"
#include "imapd/search_plain.h"
#include "lib/mail/charset.h"
#include "lib/mail/collate.h"
#include "lib/mail/header.h"
#include "lib/mail/mime_decode.h"
#include "lib/mail/mime_parameter.h"
#include "lib/mail/mime_walk.h"

enum {
	RAW_MAX = 16 * 1024, /* decoded at once */
	WINDOW_AIM = 64 * 1024, /* folded text looked through at once */
	READ_SIZE = 64 * 1024,
	/* larger messages are not read on for their signature alone */
	SIGNATURE_MAX = 1024 * 1024,
	PARAMETERS_BYTES_MAX = 64 * 1024,
};

struct search_reader {
	const struct search_program *program;
	size_t longest; /* of the texts */
	struct search_needle *needles; /* of each leaf that is one */
	signed char *answers;
	/* the part that is being read */
	size_t entity;
	bool in_text;
	struct charset *charset;
	struct arena *arena; /* for its parameters */
	struct mime_decoder decoder;
	struct buf raw, decoded, utf8;
	/* folded text, of headers or of bodies */
	struct buf window;
	size_t kept; /* of the window: was looked through before */
	bool in_header;
	bool alone; /* in its thread: shares no decoder with others */
	bool wants_signature;
	struct buf signature; /* of search_reader_ahead */
	struct search_words words;
};

struct search_reader *
search_reader_new(const struct search_program *p)
{
	struct search_reader *r = mem_new(sizeof(*r));

	r->program = p;
	r->arena = arena_new();
	r->needles = mem_array(p->count + 1, sizeof(r->needles[0]));
	for (size_t i = 0; i < p->count; i++) {
		struct span text = p->leaves[i]->text;

		if (p->leaves[i]->kind < SEARCH_BODY)
			continue;
		search_needle_make(&r->needles[i], text);
		if (text.n > r->longest)
			r->longest = text.n;
	}
	buf_init(&r->raw, 2 * RAW_MAX);
	buf_init(&r->decoded, 2 * RAW_MAX);
	buf_init(&r->utf8, 16 * SEARCH_HEADER_MAX);
	/* mapped characters may become some times longer */
	buf_init(&r->window, 64 * SEARCH_HEADER_MAX);
	buf_init(&r->signature, CACHE_VALUE_MAX);
	return r;
}

void
search_reader_free(struct search_reader **rp)
{
	struct search_reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	for (size_t i = 0; i < r->program->count; i++)
		free(r->needles[i].hashes);
	free(r->needles);
	charset_end(&r->charset);
	arena_free(&r->arena);
	buf_fini(&r->raw);
	buf_fini(&r->decoded);
	buf_fini(&r->utf8);
	buf_fini(&r->window);
	buf_fini(&r->signature);
	free(r);
}

/* Looks through the window for what has not been found. */
static void
look(struct search_reader *r)
{
	struct span window = buf_span(&r->window);

	/* most that are not there are known by it */
	if (r->wants_signature)
		search_words_put(&r->words, span_skip(window, r->kept));
	for (size_t i = 0; i < r->program->count; i++) {
		const struct search_key *k = r->program->leaves[i];

		if (k->kind < SEARCH_BODY || r->answers[i] != SEARCH_UNKNOWN ||
		    (r->in_header && k->kind == SEARCH_BODY))
			continue;
		if (r->wants_signature &&
		    !search_words_may_have_yet(&r->words, &r->needles[i]))
			continue;
		if (k->text.n <= window.n &&
		    (k->text.n == 0 ||
			memmem(window.p, window.n, k->text.p, k->text.n)))
			r->answers[i] = SEARCH_YES;
	}
}

/* "whole": what comes next does not continue this text. */
static void
flush_window(struct search_reader *r, bool whole)
{
	size_t keep = r->longest > 0 ? r->longest - 1 : 0;

	if (r->window.n > r->kept)
		look(r);
	if (whole || keep > r->window.n)
		keep = whole ? 0 : r->window.n;
	buf_drop(&r->window, r->window.n - keep);
	r->kept = keep;
	if (whole)
		search_words_break(&r->words);
}

static void
enter(struct search_reader *r, bool header)
{
	if (r->in_header != header)
		flush_window(r, true);
	r->in_header = header;
}

/* Ends of lines are blanks. */
static void
blank_line_ends(char *p, size_t n)
{
	char *at = p;

	while ((at = memchr(at, '\n', n - (size_t)(at - p))) != NULL)
		*at = ' ';
}

static void
add_utf8(struct search_reader *r, struct span text)
{
	size_t before = r->window.n;

	collate_fold(text, &r->window);
	if (r->window.n > before)
		blank_line_ends(r->window.p + before, r->window.n - before);
	if (r->window.n > WINDOW_AIM)
		flush_window(r, false);
}

/* CR before LF goes, as it went from lines that were not encoded. */
static void
drop_cr(struct buf *b)
{
	size_t n = 0;

	if (b->n == 0 || memchr(b->p, '\r', b->n) == NULL)
		return;
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] != '\r' || i + 1 == b->n || b->p[i + 1] != '\n')
			b->p[n++] = b->p[i];
	b->p[n] = '\0';
	b->n = n;
}

/* What was gathered of the body goes through decoder, charset, folding. */
static void
flush_raw(struct search_reader *r)
{
	struct span text = buf_span(&r->raw);

	if (text.n == 0)
		return;
	if (r->decoder.decoding != DECODE_NONE) {
		buf_reset(&r->decoded);
		mime_decoder_put(&r->decoder, text, &r->decoded);
		drop_cr(&r->decoded);
		text = buf_span(&r->decoded);
	}
	buf_reset(&r->utf8);
	charset_put(r->charset, text, &r->utf8);
	add_utf8(r, buf_span(&r->utf8));
	buf_reset(&r->raw);
}

static void
end_text(struct search_reader *r)
{
	if (!r->in_text)
		return;
	flush_raw(r);
	buf_reset(&r->decoded);
	mime_decoder_end(&r->decoder, &r->decoded);
	buf_reset(&r->utf8);
	charset_put(r->charset, buf_span(&r->decoded), &r->utf8);
	charset_flush(r->charset, &r->utf8);
	add_utf8(r, buf_span(&r->utf8));
	flush_window(r, true);
	charset_end(&r->charset);
	r->in_text = false;
}

static struct span
charset_of(struct search_reader *r, struct span fields)
{
	const struct mime_parameter *p;
	size_t count, budget = PARAMETERS_BYTES_MAX;
	struct span value;

	if (!header_find(fields, "Content-Type", &value))
		return SPAN("");
	value = span_skip(value, span_find(value, ';'));
	arena_reset(r->arena);
	p = mime_parameters(r->arena, value, &count, &budget);
	for (size_t i = 0; i < count; i++)
		if (span_is(p[i].name, "charset"))
			return p[i].value;
	return SPAN("");
}

static void
begin_text(struct search_reader *r, const struct mime_entity *e,
    struct span fields)
{
	static const enum mime_decoding decodings[] = {
		[MIME_QUOTED_PRINTABLE] = DECODE_QUOTED_PRINTABLE,
		[MIME_BASE64] = DECODE_BASE64,
		[MIME_UNKNOWN] = DECODE_NONE,
	};
	r->charset = charset_begin(charset_of(r, fields));
	mime_decoder_init(&r->decoder,
	    e->encoding <= MIME_UNKNOWN ? decodings[e->encoding] : DECODE_NONE);
	r->entity = e->number;
	r->in_text = true;
	buf_reset(&r->raw);
}

/* "Name: value", each on a line of its own, so that none runs into the next. */
static void
add_fields(struct search_reader *r, struct span fields)
{
	struct header_field f;

	while (header_next(&fields, true, &f) == HEADER_FIELD) {
		buf_reset(&r->utf8);
		buf_add_span(&r->utf8, f.name);
		buf_add_span(&r->utf8, SPAN(": "));
		if (search_plain_value(f.value))
			header_unfold(f.value, &r->utf8);
		else
			mime_decode_header(f.value, &r->utf8);
		add_utf8(r, buf_span(&r->utf8));
		buf_add_char(&r->window, '\n');
	}
}

static void
on_header(void *with, const struct mime_entity *e, struct span fields,
    bool empty)
{
	struct search_reader *r = with;

	(void)empty;
	end_text(r);
	enter(r, true);
	add_fields(r, fields);
	enter(r, false);
	if (e->kind == MIME_TEXT)
		begin_text(r, e, fields);
}

static void
on_text(void *with, const struct mime_entity *e, struct span bytes)
{
	struct search_reader *r = with;

	if (!r->in_text || e->number != r->entity)
		return;
	while (bytes.n > 0) {
		struct span piece = span_take(bytes, RAW_MAX);

		buf_add_span(&r->raw, piece);
		bytes = span_skip(bytes, piece.n);
		if (r->raw.n >= RAW_MAX)
			flush_raw(r);
	}
}

static void
on_line_end(void *with, const struct mime_entity *e, bool crlf)
{
	struct search_reader *r = with;

	(void)crlf;
	if (!r->in_text || e == NULL || e->number != r->entity)
		return;
	buf_add_char(&r->raw, '\n');
	if (r->raw.n >= RAW_MAX)
		flush_raw(r);
}

static void
on_boundary(void *with, struct span line)
{
	(void)line;
	end_text(with);
}

static bool
all_found(const struct search_reader *r)
{
	for (size_t i = 0; i < r->program->count; i++)
		if (r->program->leaves[i]->kind >= SEARCH_BODY &&
		    r->answers[i] == SEARCH_UNKNOWN)
			return false;
	return true;
}

/* Reads on until the end, or until nothing more is to be learned. */
static enum mail_result
read_rest(struct search_reader *r, struct search_message *m,
    struct mime_walk *walk, bool (*pause)(void *with), void *with,
    struct why *why)
{
	uint64_t total = m->text.n;
	char *piece = mem_new(READ_SIZE);
	int64_t n = 0;

	for (;;) {
		if (total > SIGNATURE_MAX)
			r->wants_signature = false;
		if (!r->wants_signature && all_found(r))
			break;
		n = search_message_more(m, piece, READ_SIZE);
		if (n <= 0)
			break;
		total += (uint64_t)n;
		if (!mime_walk_put(walk, (struct span){ piece, (size_t)n }))
			break;
		if (!pause(with))
			n = -1;
	}
	free(piece);
	if (n < 0)
		why_errno(why, "4.3.0", "cannot read message");
	return n < 0 ? MAIL_FAILED : MAIL_OK;
}

static void
begin(struct search_reader *r, signed char *answers, bool signature,
    uint64_t size)
{
	r->answers = answers;
	r->wants_signature = signature;
	r->in_text = r->in_header = false;
	r->kept = 0;
	buf_reset(&r->window);
	if (signature)
		search_words_begin(&r->words, size);
}

/* Most are in memory as a whole, and need no walk. */
static bool
read_plain(struct search_reader *r, struct span message)
{
	struct span fields, text;

	if (!search_plain_message(message, &fields, &text) ||
	    (r->alone && !search_plain_fields(fields)))
		return false;
	enter(r, true);
	add_fields(r, fields);
	enter(r, false);
	search_plain_fold(text, &r->window);
	return true;
}

static enum mail_result
read_parts(struct search_reader *r, struct search_message *m,
    bool (*pause)(void *with), void *with, struct why *why)
{
	static const struct mime_events events = { on_header, on_text,
		on_line_end, on_boundary };
	struct mime_walk *walk = mime_walk_new(&events, r);
	enum mail_result result;

	mime_walk_put(walk, search_message_text(m));
	result = read_rest(r, m, walk, pause, with, why);
	mime_walk_end(walk);
	end_text(r);
	mime_walk_free(&walk);
	return result;
}

/* Texts that were not found are not there. */
static void
answer_rest(struct search_reader *r)
{
	for (size_t i = 0; i < r->program->count; i++)
		if (r->program->leaves[i]->kind >= SEARCH_BODY &&
		    r->answers[i] == SEARCH_UNKNOWN)
			r->answers[i] = SEARCH_NO;
}

enum mail_result
search_reader_read(struct search_reader *r, struct search_message *m,
    signed char *answers, bool signature, struct buf *out,
    bool (*pause)(void *with), void *with, struct why *why)
{
	enum mail_result result = MAIL_OK;

	begin(r, answers, signature, (uint64_t)m->blob.length);
	if (!m->ended || !read_plain(r, search_message_text(m)))
		result = read_parts(r, m, pause, with, why);
	flush_window(r, true);
	answer_rest(r);
	buf_reset(out);
	if (r->wants_signature && result == MAIL_OK)
		search_words_end(&r->words, out);
	return result;
}

size_t
search_reader_ahead(void *with, struct span message, char *to, size_t room)
{
	struct search_reader *r = with;
	size_t count = r->program->count;
	struct span rest = message;

	if (room < count || !header_skip_envelope(&rest, true) ||
	    rest.n != message.n)
		return 0;
	r->alone = true;
	memset(to, SEARCH_UNKNOWN, count);
	begin(r, (signed char *)to, true, message.n);
	if (!read_plain(r, message))
		return 0;
	flush_window(r, true);
	answer_rest(r);
	search_words_end(&r->words, &r->signature);
	if (r->signature.n > room - count)
		return 0;
	memcpy(to + count, r->signature.p, r->signature.n);
	return count + r->signature.n;
}
