/* SPDX-License-Identifier: ISC */
#include "smtp/content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/mail/downgrade.h"
#include "lib/mail/smtp_wire.h"
#include "lib/net/stream_pool.h"
#include "smtp/settings.h"

enum { HEADER_LOOK_MAX = 256 * 1024 };

/* Bytes at this place of the content; 0 at its end, -1 with errno. */
static ssize_t
read_part(const struct msg_deliver *m, uint64_t at, char *to, size_t room)
{
	uint64_t left = m->content_size - at;
	ssize_t n;

	if (left < room)
		room = (size_t)left;
	if (room == 0)
		return 0;
	do
		n = pread(m->content, to, room,
		    (off_t)(m->content_offset + at));
	while (n < 0 && errno == EINTR);
	if (n == 0) { /* shorter than qmgr said */
		errno = EIO;
		return -1;
	}
	return n;
}

/*
 * Looks at bytes of the header; true when it is over, or *found. "fresh" is
 * carried from part to part: the line so far has no byte but CR.
 */
static bool
look(struct span part, bool *fresh, bool *found)
{
	for (size_t i = 0; i < part.n; i++) {
		unsigned char c = (unsigned char)part.p[i];

		if (c >= 0x80) {
			*found = true;
			return true;
		}
		if (c == '\n') {
			if (*fresh)
				return true;
			*fresh = true;
		} else if (c != '\r') {
			*fresh = false;
		}
	}
	return false;
}

bool
content_has_8bit_header(const struct msg_deliver *m)
{
	char *buffer = stream_pool_get();
	bool found = false, fresh = true;
	uint64_t at = 0;
	ssize_t n;

	while (at < HEADER_LOOK_MAX &&
	    (n = read_part(m, at, buffer, STREAM_BUFFER_SIZE)) > 0) {
		if (look((struct span){ buffer, (size_t)n }, &fresh, &found))
			break;
		at += (uint64_t)n;
	}
	stream_pool_put(&buffer);
	return found;
}

int
content_each_part(const struct msg_deliver *m,
    bool (*visit)(void *with, struct span part), void *with)
{
	char *buffer = stream_pool_get();
	uint64_t at = 0;
	int error;
	ssize_t n;

	while ((n = read_part(m, at, buffer, STREAM_BUFFER_SIZE)) > 0) {
		at += (uint64_t)n;
		if (!visit(with, (struct span){ buffer, (size_t)n }))
			break;
	}
	error = n < 0 ? errno : 0;
	stream_pool_put(&buffer);
	return error;
}

/* The same with the header as smtp_generic_maps has it. */
struct rewriting {
	bool (*visit)(void *with, struct span part);
	void *with;
	bool go_on;
	struct generic_pass pass;
};

static void
visit_rewritten(void *with, struct span bytes)
{
	struct rewriting *r = with;

	if (r->go_on && bytes.n > 0)
		r->go_on = r->visit(r->with, bytes);
}

static bool
rewrite_part(void *with, struct span part)
{
	struct rewriting *r = with;

	generic_pass_put(&r->pass, part);
	return r->go_on;
}

static int
each_part(const struct msg_deliver *m, const struct generic *g,
    bool (*visit)(void *with, struct span part), void *with)
{
	struct rewriting r = { .visit = visit, .with = with, .go_on = true };
	int error;

	if (g == NULL)
		return content_each_part(m, visit, with);
	generic_pass_init(&r.pass, g, visit_rewritten, &r);
	error = content_each_part(m, rewrite_part, &r);
	generic_pass_end(&r.pass);
	return error;
}

static bool
find_8bit(void *with, struct span part)
{
	*(bool *)with = !span_is_ascii(part);
	return !*(bool *)with;
}

static bool
look_at_part(void *with, struct span part)
{
	downgrade_look(with, part);
	return true;
}

struct content_plan
content_plan(const struct msg_deliver *m, const struct generic *g,
    bool peer_8bit, int *error)
{
	struct content_plan plan = { .generic = g };
	bool eight = false;

	*error = 0;
	if (peer_8bit || settings()->smtp.disable_mime_output_conversion)
		return plan;
	/* not what the sender called it: what it is */
	*error = each_part(m, g, find_8bit, &eight);
	if (*error != 0 || !eight)
		return plan;
	plan.conversion =
	    downgrade_new((size_t)settings()->common.mime_nesting_limit);
	*error = each_part(m, g, look_at_part, plan.conversion);
	plan.obstacle = downgrade_obstacle(plan.conversion);
	return plan;
}

void
content_plan_fini(struct content_plan *plan)
{
	downgrade_free(&plan->conversion);
}

static void
to_stream(void *with, struct span bytes)
{
	(void)stream_write(with, bytes.p, bytes.n);
}

static void
to_wire(void *with, struct span bytes)
{
	smtp_wire_put(with, bytes);
}

struct sending {
	struct smtp_wire wire;
	struct downgrade *conversion;
	struct stream *to;
	enum io result;
};

static bool
send_part(void *with, struct span part)
{
	struct sending *s = with;

	if (s->conversion != NULL)
		downgrade_convert(s->conversion, part);
	else
		smtp_wire_put(&s->wire, part);
	s->result = stream_write(s->to, "", 0); /* what went wrong, if so */
	return s->result == IO_OK;
}

enum io
content_send(const struct msg_deliver *m, const struct content_plan *plan,
    struct stream *to, int *error)
{
	struct sending s = { .conversion = plan->conversion,
		.to = to,
		.result = IO_OK };

	smtp_wire_init(&s.wire, (size_t)settings()->smtp.smtp_line_length_limit,
	    to_stream, to);
	if (s.conversion != NULL)
		downgrade_begin(s.conversion, to_wire, &s.wire);
	*error = each_part(m, plan->generic, send_part, &s);
	if (*error != 0 || s.result != IO_OK)
		return s.result;
	if (s.conversion != NULL)
		downgrade_end(s.conversion);
	smtp_wire_end(&s.wire);
	return stream_write(to, "", 0);
}
