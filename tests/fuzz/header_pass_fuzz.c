/* SPDX-License-Identifier: ISC */
/*
 * What cleanup makes of a header; the first byte says which of its tasks it
 * has and where the input is cut in two. It comes out with CRLF line ends, no
 * blind copy stays in it, and the cut makes no difference.
 */
#include "cleanup/header_pass.h"

#include <stdint.h>
#include <string.h>

#include "cleanup/ask_lookup.h"
#include "cleanup/line_ends.h"
#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 65536 };

static struct settings set = {
	.common = { .myhostname = "mx.example.test",
	    .recipient_delimiter = "+" },
	.own = { .hopcount_limit = 50,
	    .header_size_limit = 1000,
	    .message_drop_headers = "bcc, resent-bcc, return-path",
	    .undisclosed_recipients_header = "",
	    .header_from_format = "standard",
	    .extract_recipient_limit = 100 },
	.rules = {
		.append_at_myorigin = true,
		.append_dot_mydomain = true,
		.swap_bangpath = true,
		.allow_percent_hack = true,
		.myorigin = "example.test",
		.mydomain = "example.test",
	},
	.delimiter = "+",
	.rewrites_headers = true,
};

/* lookup, asked by cleanup/header_rewrite.c */
enum verdict
ask_rewrite(struct arena *a, enum rewrite_kind kind, const char **addresses,
    size_t count, struct why *why)
{
	(void)why;
	for (size_t i = 0; i < count; i++)
		if (strlen(addresses[i]) % 2 == 0)
			addresses[i] =
			    arena_printf(a, "c%d.%s", (int)kind, addresses[i]);
	return OK;
}

/* The rest of ask_lookup.h is for recipients, which come behind the header. */
enum verdict
ask_expand(struct arena *a, const char *sender, bool mapped,
    const char *const *addresses, size_t count, struct expansion **out,
    size_t *out_count, struct why *why)
{
	(void)a;
	(void)sender;
	(void)mapped;
	(void)addresses;
	(void)count;
	(void)out;
	(void)out_count;
	(void)why;
	unreachable();
}

enum verdict
ask_address_query(struct arena *a, const char *tables, const char *address,
    const char **value, struct why *why)
{
	(void)a;
	(void)tables;
	(void)address;
	(void)value;
	(void)why;
	unreachable();
}

struct trial {
	struct header_pass pass;
	struct line_ends lines;
	struct buf out;
	enum verdict verdict;
	size_t recipients;
};

static void
keep(void *with, const char *bytes, size_t n)
{
	struct trial *t = with;

	ensure(buf_add(&t->out, bytes, n));
}

static void
take(void *with, const char *bytes, size_t n)
{
	struct trial *t = with;

	if (t->pass.done)
		keep(t, bytes, n);
	else
		ensure(buf_add(&t->pass.held, bytes, n));
}

static void
feed(struct trial *t, struct span piece, bool last)
{
	struct why why;

	if (t->verdict != OK)
		return;
	line_ends_feed(&t->lines, piece, take, t);
	if (last)
		line_ends_finish(&t->lines, take, t);
	if (!t->pass.done)
		t->verdict = header_pass_feed(&t->pass, last, &why);
}

static void
run(struct trial *t, struct span in, size_t cut, unsigned int tasks)
{
	struct header_rewriting rewriting = {
		.rules = set.rules,
		.mapped = tasks & 1,
	};
	struct header_facts facts = { .set = &set,
		.queue_id = "QUEUEID",
		.sender = "alice@example.test",
		.full_name = "",
		.arrival = 1000000000000000,
		.add_missing = tasks & 2,
		.rewrite = tasks & 4 ? &rewriting : NULL,
		.extract = tasks & 8 };
	struct arena *a = arena_new();

	*t = (struct trial){ .out = BUF_INIT(64 * MOST) };
	header_pass_init(&t->pass, &facts, a, keep, t);
	feed(t, span_take(in, cut), false);
	feed(t, span_skip(in, cut), true);
	ensure(t->verdict != OK || t->pass.done);
	t->recipients = t->pass.extracted.count + t->pass.resent.count;
	header_pass_fini(&t->pass);
	arena_free(&a);
}

/* Line ends are CRLF; no field of the header tells of blind copies. */
static void
check(struct span out)
{
	struct header_field f;
	struct span rest = out;

	for (size_t i = 0; i < out.n; i++)
		ensure(out.p[i] == '\n'  ? i > 0 && out.p[i - 1] == '\r' :
			out.p[i] == '\r' ? i + 1 < out.n &&
			    out.p[i + 1] == '\n' :
					   true);
	while (header_next(&rest, true, &f) == HEADER_FIELD)
		ensure(!header_is(&f, "Bcc") && !header_is(&f, "Resent-Bcc"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	static struct trial whole, parts;

	if (size == 0 || size > MOST)
		return 0;
	log_threshold(LEVEL_FATAL);
	run(&whole, in, in.n, data[0]);
	run(&parts, in, in.n * (data[0] >> 4) / 16, data[0]);
	ensure(whole.verdict == parts.verdict);
	if (whole.verdict == OK) {
		ensure(span_equal(buf_span(&whole.out), buf_span(&parts.out)));
		ensure(whole.recipients == parts.recipients);
		check(buf_span(&whole.out));
	}
	buf_fini(&whole.out);
	buf_fini(&parts.out);
	return 0;
}
