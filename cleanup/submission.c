/* SPDX-License-Identifier: ISC */
#include "cleanup/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cleanup/ask_lookup.h"
#include "cleanup/author_check.h"
#include "cleanup/content_rules.h"
#include "cleanup/free_space.h"
#include "cleanup/header_pass.h"
#include "cleanup/line_ends.h"
#include "cleanup/qmgr_notice.h"
#include "cleanup/recipient_set.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"

enum {
	PREFIX_ROOM = 8192,
};

struct submission {
	const struct settings *set;
	struct arena *arena;
	char id[QUEUE_ID_MAX];
	const char *queue; /* where the file lies */
	const char *sender;
	const char *envid;
	const char *client;
	struct header_facts facts;
	struct header_rewriting rewriting;
	struct header_pass header;
	struct line_ends lines;
	struct content_rules *rules; /* NULL: there are none for it */
	struct recipient_set recipients;
	struct queue_writer *writer;
	uint64_t received; /* bytes as they came */
	uint64_t stored; /* bytes of content in the file */
	unsigned int ret;
	unsigned int flags; /* enum queue_flag */
	bool copies; /* always_bcc and its kin apply */
	bool mapped; /* canonical tables and aliases do */
	unsigned int code; /* of the reply; 0: as the enhanced one has it */
	bool is_there; /* an earlier attempt had stored it already */
	enum verdict verdict;
	struct why why;
};

static void
refuse(struct submission *s, enum verdict v)
{
	if (s->verdict != OK)
		return;
	s->verdict = v;
	queue_writer_free(&s->writer); /* unlinks */
}

static void
refuse_errno(struct submission *s, int error)
{
	enum verdict v;

	if (error == ENOSPC || error == EDQUOT)
		v = why_set(&s->why, "4.3.1", "Insufficient system storage");
	else if (error == EFBIG)
		v = why_set(&s->why, "5.3.4", "message file too big");
	else if (error == EINVAL)
		v = why_set(&s->why, "5.5.2", "malformed envelope");
	else
		v = why_set(&s->why, "4.3.0", "queue file write error");
	s->why.error = error;
	log_warning("%s: queue file write error: %s", s->id, strerror(error));
	refuse(s, v);
}

/* Else a report on one that is as large as may be would never be made. */
static bool
is_too_large(const struct submission *s)
{
	uint64_t limit = (uint64_t)s->set->common.message_size_limit;

	return limit > 0 && s->stored > limit && (s->flags & QUEUE_REPORT) == 0;
}

/* Content as it goes to the file. */
static void
store(void *with, const char *data, size_t n)
{
	struct submission *s = with;

	if (s->verdict != OK || n == 0)
		return;
	s->stored += n;
	if (is_too_large(s)) {
		log_warning("%s: message exceeds message_size_limit", s->id);
		refuse(s, why_set(&s->why, "5.3.4", "message file too big"));
		return;
	}
	if (queue_writer_add(s->writer, data, n) == -1)
		refuse_errno(s, errno);
}

/* Content that has passed the rules: header first, then body. */
static void
take_clean(void *with, const char *data, size_t n)
{
	struct submission *s = with;

	if (s->header.done)
		store(s, data, n);
	else
		buf_add(&s->header.held, data, n);
}

/* Content with its line ends made even. */
static void
take_even(void *with, const char *data, size_t n)
{
	struct submission *s = with;
	enum verdict v;

	if (s->verdict != OK)
		return;
	if (s->rules == NULL) {
		take_clean(s, data, n);
		return;
	}
	v = content_rules_feed(s->rules, (struct span){ data, n }, take_clean,
	    s, &s->why);
	if (v != OK)
		refuse(s, v);
}

static bool
is_non_ascii(const char *text)
{
	return !span_is_ascii(span_of(text));
}

static void
copy_recipients(struct submission *s, const struct msg_submit *m)
{
	const struct msg_submit_recipient *in = m->recipients.items;
	struct arena *a = s->arena;
	struct recipient r;

	for (size_t i = 0; i < m->recipients.count; i++, in++) {
		r = (struct recipient){
			.address = arena_text(a, in->address),
			.orcpt = arena_text(a, in->orcpt),
			.notify = (unsigned int)in->notify,
			.final = in->final && in->transport[0] != '\0',
			.transport = arena_text(a, in->transport),
			.nexthop = arena_text(a, in->nexthop),
		};
		r.original =
		    in->original[0] ? arena_text(a, in->original) : r.address;
		recipient_set_add(&s->recipients, &r);
	}
}

/* Sender with domain, in its canonical form. */
static void
rewrite_sender(struct submission *s)
{
	const char *sender = rewrite_address_within(&s->set->rules,
	    span_of(s->sender), s->arena);
	enum verdict v;

	if (sender[0] == '\0')
		return;
	if (s->set->rewrites_sender && s->mapped) {
		v = ask_rewrite(s->arena, REWRITE_ENVELOPE_SENDER, &sender, 1,
		    &s->why);
		if (v != OK)
			refuse(s, v);
	}
	s->sender = sender;
}

static void
resolve(struct submission *s)
{
	enum verdict v = OK;

	if (s->verdict != OK)
		return;
	if (s->copies)
		v = recipient_set_add_copies(&s->recipients, s->arena, s->set,
		    s->sender, &s->why);
	if (v == OK)
		v = recipient_set_resolve(&s->recipients, s->arena, s->set,
		    s->sender, s->mapped, &s->why);
	if (v != OK)
		refuse(s, v);
}

static void
check_free_space(struct submission *s)
{
	if (s->verdict == OK)
		refuse(s, free_space_check(s->set, s->id, &s->why));
}

/*
 * The id has been used: pickup, or we, died before the answer to an earlier
 * attempt got through. What that attempt stored counts, if it was committed.
 */
static bool
was_committed(const struct submission *s)
{
	static const char *const queues[] = { "incoming", "deferred", "hold" };
	struct queue_envelope e;
	bool committed = false;
	int fd;

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		fd = queue_open(queues[i], s->id, false);
		if (fd == -1)
			continue;
		/* the power may have gone, or we have died, before our fsync */
		committed = committed ||
		    (queue_read_envelope(fd, s->id, s->arena, &e) == QUEUE_OK &&
			fd_is_written(fd) && queue_flush(fd) == 0);
		close(fd);
	}
	return committed;
}

static void
open_file(struct submission *s, bool again)
{
	if (s->verdict != OK)
		return;
	if (again && was_committed(s)) {
		log_info("%s: already queued", s->id);
		s->is_there = true;
		s->verdict = NEVER; /* nothing of this attempt is stored */
		return;
	}
	s->writer = queue_writer_new(s->queue, s->id, &s->why);
	if (s->writer == NULL && s->why.error == EEXIST && again) {
		queue_id_mint(s->id);
		s->writer = queue_writer_new(s->queue, s->id, &s->why);
	}
	if (s->writer == NULL)
		refuse_errno(s, s->why.error);
}

static bool
wants_prefix(const struct submission *s)
{
	struct span transport;

	if (s->recipients.count != 1 || s->verdict != OK)
		return false;
	transport = span_of(s->recipients.items[0].transport);
	return transport.n > 0 &&
	    (span_equal(transport, s->set->local_transport) ||
		span_equal(transport, s->set->virtual_transport));
}

static void
add_header(struct buf *b, const char *open, const char *address,
    const char *close)
{
	buf_add_text(b, open);
	mail_address_quote(span_of(address), b);
	buf_add_text(b, close);
}

/* The headers a delivery into one mailbox begins with. */
static void
write_prefix(struct submission *s)
{
	const struct recipient *r = &s->recipients.items[0];
	struct buf b = BUF_INIT(PREFIX_ROOM);

	add_header(&b, "Return-Path: <", s->sender, ">\r\n");
	if (s->set->own.enable_original_recipient)
		add_header(&b, "X-Original-To: ", r->original, "\r\n");
	add_header(&b, "Delivered-To: ", r->address, "\r\n");
	if (!b.overflow) {
		s->flags |= QUEUE_HAS_PREFIX;
		if (queue_writer_add(s->writer, b.p, b.n) == -1)
			refuse_errno(s, errno);
	}
	buf_fini(&b);
}

static void
begin_file(struct submission *s, const struct msg_submit *m)
{
	bool again = strcmp(m->origin, "pickup") == 0;

	check_free_space(s);
	open_file(s, again);
	if (s->verdict == OK && !s->facts.extract && wants_prefix(s))
		write_prefix(s);
	if (s->verdict == OK)
		queue_writer_content_begins(s->writer);
	store(s, m->trace, strlen(m->trace));
}

static unsigned int
submit_flags(const struct msg_submit *m)
{
	unsigned int flags = 0;

	if (m->smtputf8)
		flags |= QUEUE_SMTPUTF8;
	if (m->report)
		flags |= QUEUE_REPORT;
	if (m->verify)
		flags |= QUEUE_VERIFY;
	if (m->trace_deliveries)
		flags |= QUEUE_TRACE;
	return flags;
}

/* Our own people's addresses lack our domain, those of others never do. */
static void
set_rewriting(struct submission *s, const struct msg_submit *m)
{
	s->rewriting = (struct header_rewriting){
		.rules = s->set->rules,
		.mapped = s->mapped && s->set->rewrites_headers,
	};
	if (!m->trusted) {
		s->rewriting.rules.myorigin =
		    arena_text(s->arena, m->header_domain);
		s->rewriting.rules.mydomain = s->rewriting.rules.myorigin;
	}
}

static void
set_facts(struct submission *s, const struct msg_submit *m)
{
	bool touched = m->trusted || m->header_domain[0] != '\0';
	struct span value;

	set_rewriting(s, m);
	s->facts = (struct header_facts){
		.set = s->set,
		.queue_id = s->id,
		.sender = s->sender,
		.full_name = arena_text(s->arena, m->full_name),
		.arrival =
		    m->arrival > 0 ? (int64_t)m->arrival : clock_wall_us(),
		.add_missing =
		    touched || s->set->own.always_add_missing_headers,
		.rewrite = touched ? &s->rewriting : NULL,
		.authors = author_check_new(s->arena, m,
		    touched ? &s->rewriting.rules : NULL),
		.extract = m->extract,
		.extract_notify = (unsigned int)m->extract_notify,
		.hops = m->trace[0] != '\0',
		.delivered =
		    header_find(span_of(m->trace), "Delivered-To", &value),
	};
}

struct submission *
submission_new(const struct settings *set, struct arena *a,
    const struct msg_submit *m)
{
	struct submission *s = mem_new(sizeof(*s));
	bool from_outside =
	    strcmp(m->origin, "smtpd") == 0 || strcmp(m->origin, "pickup") == 0;

	s->set = set;
	s->arena = a;
	s->queue = m->report ? "report" : m->hold ? "hold" : "incoming";
	s->sender = arena_text(a, m->sender);
	s->envid = arena_text(a, m->envid);
	s->client = arena_text(a, m->client);
	s->ret = (unsigned int)m->ret;
	s->flags = submit_flags(m);
	s->mapped = !m->unmapped;
	s->copies = from_outside && !m->report && !m->verify &&
	    !m->redirected && s->mapped;
	if (from_outside && !m->unchecked)
		s->rules = content_rules_new(set, m->smtputf8);
	if (queue_id_valid(m->queue_id))
		memcpy(s->id, m->queue_id, strlen(m->queue_id) + 1);
	else
		queue_id_mint(s->id);
	copy_recipients(s, m);
	rewrite_sender(s);
	set_facts(s, m);
	header_pass_init(&s->header, &s->facts, a, store, s);
	if (!m->extract)
		resolve(s);
	begin_file(s, m);
	return s;
}

void
submission_add(struct submission *s, struct span chunk)
{
	enum verdict v;

	s->received += chunk.n;
	if (s->verdict != OK)
		return;
	line_ends_feed(&s->lines, chunk, take_even, s);
	if (s->header.done || s->verdict != OK)
		return;
	v = header_pass_feed(&s->header, false, &s->why);
	if (v != OK)
		refuse(s, v);
}

uint64_t
submission_received(const struct submission *s)
{
	return s->received;
}

/* Recipients that the header told. */
static void
take_extracted(struct submission *s)
{
	const struct recipient_set *from = s->header.resent.count > 0 ?
	    &s->header.resent :
	    &s->header.extracted;

	for (size_t i = 0; i < from->count; i++)
		recipient_set_add(&s->recipients, &from->items[i]);
	resolve(s);
}

/* Nothing of the header that is stored was left out. */
static void
check_authors(struct submission *s)
{
	enum verdict v;

	if (s->verdict != OK || s->facts.authors == NULL)
		return;
	v = author_check_judge(s->facts.authors, s->id, s->client, &s->why);
	if (v == NEVER)
		s->code = AUTHOR_REFUSED;
	if (v != OK)
		refuse(s, v);
}

static void
end_content(struct submission *s)
{
	enum verdict v = OK;

	line_ends_finish(&s->lines, take_even, s);
	if (s->verdict == OK && s->rules != NULL)
		v = content_rules_end(s->rules, &s->why);
	if (v != OK)
		refuse(s, v);
	if (!s->header.done && v == OK)
		v = header_pass_feed(&s->header, true, &s->why);
	if (v != OK)
		refuse(s, v);
	check_authors(s);
	if (s->lines.eight_bit)
		s->flags |= QUEUE_BODY_8BIT;
	if (s->lines.long_line)
		s->flags |= QUEUE_LONG_LINES;
	if (!header_pass_delivered(&s->header))
		s->flags |= QUEUE_NO_DELIVERED_TO;
	if (s->facts.extract)
		take_extracted(s);
}

static struct queue_envelope
make_envelope(struct submission *s)
{
	struct queue_envelope e = {
		.sender = s->sender,
		.envid = s->envid,
		.ret = s->ret,
		.arrival = s->facts.arrival,
		.client = s->client,
		.recipient_count = s->recipients.count,
	};
	const struct recipient *r = s->recipients.items;
	bool non_ascii = is_non_ascii(s->sender);

	e.recipients =
	    arena_alloc(s->arena, e.recipient_count * sizeof(*e.recipients));
	for (size_t i = 0; i < e.recipient_count; i++, r++) {
		e.recipients[i] = (struct queue_recipient){
			.address = r->address,
			.original = r->original,
			.orcpt = r->orcpt,
			.notify = r->notify,
		};
		non_ascii = non_ascii || is_non_ascii(r->address);
	}
	if (non_ascii)
		s->flags |= QUEUE_SMTPUTF8;
	e.flags = s->flags;
	return e;
}

static void
commit(struct submission *s)
{
	struct queue_envelope e;

	end_content(s);
	if (s->verdict != OK)
		return;
	e = make_envelope(s);
	if (queue_writer_commit(s->writer, &e) == -1) {
		refuse_errno(s, errno);
		return;
	}
	queue_writer_free(&s->writer);
	if (strcmp(s->queue, "incoming") == 0)
		qmgr_notice(s->arena, s->id, &e, s->recipients.items);
}

void
submission_commit(struct submission *s, struct msg_submit_result *out)
{
	if (s->verdict == OK)
		commit(s);
	if (s->is_there)
		s->verdict = OK;
	*out = (struct msg_submit_result){
		.verdict = s->verdict,
		.dsn = s->verdict == OK ? "2.0.0" :
					  arena_text(s->arena, s->why.dsn),
		.text =
		    s->verdict == OK ? "" : arena_text(s->arena, s->why.text),
		.queue_id = arena_text(s->arena, s->id),
		.size = s->stored,
		.code = s->code,
	};
	if (s->verdict != OK)
		log_info("%s: reject: %s from=<%s>: %s %s", s->id, s->client,
		    s->sender, s->why.dsn, s->why.text);
}

void
submission_free(struct submission **s)
{
	if (*s == NULL)
		return;
	queue_writer_free(&(*s)->writer);
	header_pass_fini(&(*s)->header);
	content_rules_free(&(*s)->rules);
	recipient_set_free(&(*s)->recipients);
	free(*s);
	*s = NULL;
}
