/* SPDX-License-Identifier: ISC */
#include "local/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/delivery_log.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/status_filter.h"
#include "lib/queue/queue_file.h"
#include "lib/store/mbox_text.h"

/* The header is searched so far for Delivered-To. */
enum {
	HEADER_LOOK_FIRST = 4096,
	HEADER_LOOK_MAX = 256 << 10,
	HEADERS_MAX = 16384,
};

const struct msg_deliver_recipient *
request_recipient(const struct request *r, size_t index)
{
	const struct msg_deliver_recipient *all = r->m->recipients.items;

	return &all[index];
}

/*
 * Is the end put off by soft_bounce? Not where some of a recipient's
 * destinations have the message: they would have it again at each attempt.
 */
static bool
is_soft(const struct request *r)
{
	return r->agent->common.soft_bounce && !r->partly;
}

static void
log_outcome(const struct request *r, size_t index, enum verdict v,
    const struct why *why)
{
	const struct msg_deliver_recipient *to = request_recipient(r, index);
	const struct delivery_log line = {
		.queue_id = r->m->queue_id,
		.address = to->address,
		.original = to->original,
		.relay = r->agent->service->name,
		.arrival = (int64_t)r->m->arrival,
		.active = (int64_t)r->m->active,
		.started = r->started,
		.dsn = why->dsn,
		.status = delivery_log_status(v, r->verify, is_soft(r)),
		.text = why->text,
	};

	delivery_log(&line);
}

/* Which setting refused it: of the mailbox's kind, by the service. */
static void
note_limit(const struct request *r, const struct why *why)
{
	const char *command = r->agent->service->command;

	if (why->error == EFBIG && strcmp(why->dsn, "5.2.2") == 0)
		log_warning("%s: the mailbox would be larger than %s allows",
		    r->m->queue_id,
		    strcmp(command, "virtual") == 0 ? "virtual_mailbox_limit" :
						      "mailbox_size_limit");
}

/*
 * The site's last word: local_delivery_status_filter and its like. Where some
 * of a recipient's destinations have the message it is not tried again.
 */
static void
filter(const struct request *r, enum verdict *v, struct why *why)
{
	const char *setting = r->agent->filter_setting;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), key;
	struct why told = *why;
	enum verdict before = *v;
	enum table_result t;

	if (r->agent->filter == NULL)
		return;
	status_filter_key(why, &key);
	t = table_list_lookup(r->agent->filter, buf_span(&key), &value);
	if (t == TABLE_AGAIN || t == TABLE_BROKEN)
		log_warning("%s: %s", setting, buf_text(&value));
	if (t == TABLE_FOUND &&
	    status_filter_take(setting, buf_span(&value), v, &told)) {
		if (r->partly && *v == LATER)
			*v = before;
		else
			*why = told;
	}
	buf_fini(&key);
	buf_fini(&value);
}

void
request_outcome(struct request *r, size_t index, enum verdict v,
    const char *action, const struct why *why)
{
	struct why told = *why;
	struct msg_delivered answer = {
		.index = index,
		.dsn = told.dsn,
		.text = told.text,
		.mta = told.mta,
		.mta_reply = "",
		.dsn_passed = v == OK && r->dsn_passed,
	};

	note_limit(r, why);
	filter(r, &v, &told);
	log_outcome(r, index, v, &told);
	if (v == NEVER && !r->verify && is_soft(r)) {
		why_soften(&told);
		v = LATER;
	}
	answer.verdict = v;
	answer.action = v == OK ? action : v == LATER ? "delayed" : "failed";
	ipc_put(r->qmgr, &message_delivered, &answer);
}

void
request_outcome_all(struct request *r, enum verdict v, const char *action,
    const struct why *why)
{
	for (size_t i = 0; i < r->m->recipients.count; i++)
		request_outcome(r, i, v, action, why);
}

const char *
request_quoted(struct request *r, const char *address)
{
	struct buf out = BUF_INIT(3 * MAIL_ADDRESS_MAX);
	const char *text;

	/* what cannot be quoted cannot be; it then stays as it is */
	text = mail_address_quote(span_of(address), &out) ?
	    arena_text(r->arena, buf_text(&out)) :
	    address;
	buf_fini(&out);
	return text;
}

/*
 * The list grows by doubling: a stranger's header may hold thousands of
 * these fields, and the arena keeps what it gave.
 */
static void
add_delivered_to(struct request *r, struct span value, size_t count)
{
	struct buf text = BUF_INIT(4096);

	if ((count & (count + 1)) == 0) {
		char **more =
		    arena_alloc(r->arena, 2 * (count + 1) * sizeof(*more));

		if (count > 0)
			memcpy(more, r->delivered_to, count * sizeof(*more));
		r->delivered_to = more;
	}
	header_unfold(value, &text);
	r->delivered_to[count] = arena_text(r->arena, buf_text(&text));
	r->delivered_to[count + 1] = NULL;
	buf_fini(&text);
}

/* Collects the fields of what was read; HEADER_MORE: it does not end there. */
static enum header_next
collect_delivered_to(struct request *r, struct span rest, bool last)
{
	struct header_field field;
	enum header_next next;
	size_t count = 0;

	r->delivered_to = arena_alloc(r->arena, sizeof(char *));
	while ((next = header_next(&rest, last, &field)) == HEADER_FIELD)
		if (header_is(&field, "Delivered-To"))
			add_delivered_to(r, field.value, count++);
	return next;
}

/* The content's own; the queue file's prefix is ours and does not count. */
static void
find_delivered_to(struct request *r)
{
	enum header_next next = HEADER_MORE;
	size_t room = HEADER_LOOK_FIRST;

	while (next == HEADER_MORE && room <= HEADER_LOOK_MAX) {
		size_t n = r->m->content_size < room ?
		    (size_t)r->m->content_size :
		    room;
		char *text = arena_alloc(r->arena, n + 1);

		if (fd_pread_all(r->m->content, text, n,
			(off_t)r->m->content_offset) != 0)
			n = 0;
		next = collect_delivered_to(r, (struct span){ text, n },
		    n < room || room == HEADER_LOOK_MAX);
		room *= 4;
	}
}

bool
request_loops(struct request *r, const char *address)
{
	const char *quoted;

	if (r->m->flags & QUEUE_NO_DELIVERED_TO)
		return false;
	quoted = request_quoted(r, address);
	if (r->delivered_to == NULL)
		find_delivered_to(r);
	for (char **d = r->delivered_to; *d != NULL; d++)
		if (strcasecmp(*d, quoted) == 0)
			return true;
	return false;
}

struct span
request_headers_exactly(struct request *r, const char *original,
    const char *delivered, bool return_path)
{
	struct buf out = BUF_INIT(HEADERS_MAX);
	char *text;

	if (return_path)
		buf_printf(&out, "Return-Path: <%s>\r\n",
		    request_quoted(r, r->sender));
	if (original != NULL)
		buf_printf(&out, "X-Original-To: %s\r\n",
		    request_quoted(r, original));
	if (delivered != NULL)
		buf_printf(&out, "Delivered-To: %s\r\n",
		    request_quoted(r, delivered));
	text = arena_text(r->arena, buf_text(&out));
	buf_fini(&out);
	return span_of(text);
}

struct span
request_headers(struct request *r, const char *original, const char *delivered,
    bool return_path)
{
	return request_headers_exactly(r,
	    r->agent->original_header ? original : NULL, delivered,
	    return_path);
}

const char *
request_from_line(struct request *r, const char *line_end)
{
	struct buf out = BUF_INIT(HEADERS_MAX);
	const char *text;

	(void)mbox_make_from_line(&out, request_quoted(r, r->sender), line_end);
	text = arena_text(r->arena, buf_text(&out));
	buf_fini(&out);
	return text;
}

void
request_content(struct request *r, struct deliver_source *s)
{
	*s = (struct deliver_source){
		.full_bounces = !r->agent->common.quota_full_tempfail,
		.queue_id = r->m->queue_id,
		.host = r->agent->common.myhostname,
		.fd = r->m->content,
		.offset = (off_t)r->m->content_offset,
		.size = (off_t)r->m->content_size,
		.headers = SPAN(""),
	};
}

void
request_source(struct request *r, size_t index, struct deliver_source *s)
{
	const struct msg_deliver_recipient *to = request_recipient(r, index);
	bool has_prefix = (r->m->flags & QUEUE_HAS_PREFIX) != 0;

	request_content(r, s);
	if (has_prefix) {
		s->size += s->offset;
		s->offset = 0;
	}
	if (!has_prefix)
		s->headers =
		    request_headers(r, to->original, to->address, true);
}

enum verdict
agent_table_failed(struct why *why, enum table_result t, const char *table,
    const char *detail)
{
	if (t == TABLE_AGAIN)
		return why_set(why, "4.3.0", "table lookup problem: %s: %s",
		    table, detail);
	return why_set(why, "4.3.5",
	    "mail system configuration error: %s: "
	    "%s",
	    table, detail);
}
