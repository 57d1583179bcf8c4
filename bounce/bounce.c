/* SPDX-License-Identifier: ISC */
/*
 * bounce: makes reports for senders and hands them to cleanup.
 *
 * SECURITY. Runs as the queue's owner, confined to the queue directory. It
 * is asked by qmgr alone, reads the message from a descriptor it is given,
 * and opens no file. What strangers wrote (addresses, remote replies, the
 * message) goes into reports cleaned of line breaks or behind a boundary
 * they cannot know; a report goes to the envelope sender of the message and
 * to nobody that its text names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bounce/compose.h"
#include "bounce/template.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_bounce.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/mail/header.h"
#include "lib/mail/received.h"
#include "lib/queue/queue_file.h"
#include "lib/service/service.h"

#define PARAM_GROUP bounce
#define PARAM_DEF "bounce/params.def"
#include "lib/conf/param.h"

enum {
	CLEANUP_TIMEOUT_S = 300,
	HEADER_MAX = 256 << 10, /* of the message, returned */
	HEAD_MAX = 8 << 20, /* words and status of 1000 recipients */
	RET_HDRS = 2,
	MESSAGE_ID_MAX = 900, /* fits a line */
	TEMPLATES_MAX = 256 << 10,
};

static struct common_params common;
static struct bounce_params params;
static const char *double_bounce_recipient;
static struct compose_words words[COMPOSE_KINDS];

static const char *const about[] = {
	[COMPOSE_FAILURE] = "failure",
	[COMPOSE_DELAY] = "delay",
	[COMPOSE_SUCCESS] = "success",
	[COMPOSE_VERIFY] = "failure",
};

/* One message to one recipient. */
struct letter {
	struct compose c;
	const char *sender;
	bool inactive; /* it waits in the report queue for qmgr */
	char *original; /* what is returned of the message */
	size_t original_size;
	struct buf message_id;
};

/* Is this class of news for the postmaster? */
static bool
notify(const char *class)
{
	struct span rest = span_of(params.notify_classes), item;

	while (conf_list_next(&rest, &item))
		if (span_is_nocase(item, class))
			return true;
	return false;
}

/* The length of the header in this piece of a message, or all of it. */
static size_t
header_end(const char *text, size_t n)
{
	const char *at;

	if (n >= 2 && memcmp(text, "\r\n", 2) == 0)
		return 0;
	at = memmem(text, n, "\r\n\r\n", 4);
	return at != NULL ? (size_t)(at - text) + 2 : n;
}

static bool
put(struct ipc *cleanup, const char *text, size_t n, uint64_t *sent)
{
	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < IPC_CHUNK_MAX ? n - at : IPC_CHUNK_MAX;
		ipc_put_chunk(cleanup, text + at, part);
		*sent += part;
		if (part == IPC_CHUNK_MAX &&
		    ipc_flush(cleanup, clock_in(CLEANUP_TIMEOUT_S)) != IPC_OK)
			return false;
	}
	return true;
}

/* The message reported on, whole or its header. */
static bool
read_original(struct letter *l)
{
	const struct msg_report *m = l->c.report;
	size_t n = m->content_size;

	if (!l->c.whole && n > HEADER_MAX)
		n = HEADER_MAX;
	l->original = mem_new(n + 1);
	if (fd_pread_all(m->content, l->original, n,
		(off_t)m->content_offset) == -1) {
		log_warning("%s: cannot read the message: %m", m->queue_id);
		return false;
	}
	l->original_size = l->c.whole ? n : header_end(l->original, n);
	return true;
}

/* enable_threaded_bounces: the report answers the message. */
static void
find_thread(struct letter *l)
{
	struct span original = { l->original, l->original_size }, value;
	struct buf *id = &l->message_id;

	if (params.enable_threaded_bounces &&
	    header_find(original, "Message-ID", &value) &&
	    header_unfold(value, id) && id->n > 0)
		l->c.message_id = buf_text(id);
}

static bool
put_report(const struct letter *l, struct ipc *cleanup, uint64_t *sent)
{
	struct buf text = BUF_INIT(HEAD_MAX);
	bool done;

	compose_head(&l->c, &text);
	done = !text.overflow && put(cleanup, text.p, text.n, sent) &&
	    put(cleanup, l->original, l->original_size, sent);
	buf_reset(&text);
	compose_tail(&l->c, &text);
	done = done && put(cleanup, text.p, text.n, sent);
	buf_fini(&text);
	return done;
}

static void
put_submit(const struct letter *l, struct ipc *cleanup)
{
	const struct compose *c = &l->c;
	struct msg_submit_recipient to = { .address = c->to,
		.original = "",
		.orcpt = "",
		.transport = "",
		.nexthop = "" };
	struct buf trace = BUF_INIT(4096);
	const struct received received = { .local = "bounce",
		.hostname = c->hostname,
		.mail_name = c->mail_name,
		.id = c->id,
		.when = c->now };
	char *client = mem_printf("%s:%s",
	    l->inactive ? about[c->kind] : "postmaster", c->report->queue_id);
	unsigned int flags = (unsigned int)c->report->flags;
	struct msg_submit m = {
		.queue_id = c->id,
		.origin = "bounce",
		.sender = l->sender,
		.full_name = "",
		.envid = "",
		.body = compose_eight_bit(c) ? 2 : 1,
		.smtputf8 = flags & QUEUE_SMTPUTF8,
		.trusted = true,
		.report = l->inactive,
		.client = client,
		.recipients = { &to, 1 },
	};

	received_format(&received, &trace);
	m.trace = buf_text(&trace);
	ipc_put(cleanup, &message_submit, &m);
	buf_fini(&trace);
	free(client);
}

/* The dialogue with cleanup. */
static bool
submit(const struct letter *l, struct ipc *cleanup, struct ipc *qmgr)
{
	const struct msg_submit_result *result;
	const void *message;
	struct msg_submit_end end = { 0 };

	put_submit(l, cleanup);
	if (!put_report(l, cleanup, &end.size))
		return false; /* closing discards what was sent */
	if (ipc_stale(qmgr))
		return false; /* a qmgr that is gone knows of no report */
	ipc_put_chunk(cleanup, NULL, 0);
	ipc_put(cleanup, &message_submit_end, &end);
	if (ipc_expect(cleanup, &message_submit_result, &message,
		clock_in(CLEANUP_TIMEOUT_S)) != IPC_OK)
		return false;
	result = message;
	if (result->verdict != OK)
		log_warning("%s: cleanup does not take the report: %s",
		    l->c.report->queue_id, result->text);
	return result->verdict == OK;
}

static bool
hand_over(const struct letter *l, struct ipc *qmgr)
{
	struct ipc *cleanup = service_ask("cleanup", &protocol_cleanup,
	    clock_in(CLEANUP_TIMEOUT_S));
	bool done;

	if (cleanup == NULL)
		return false;
	done = submit(l, cleanup, qmgr);
	service_done("cleanup", &cleanup, done);
	return done;
}

/* Sends it; its id goes to the log. */
static bool
send_letter(struct letter *l, struct ipc *qmgr)
{
	bool done = false;

	buf_init(&l->message_id, MESSAGE_ID_MAX);
	if (read_original(l)) {
		find_thread(l);
		done = hand_over(l, qmgr);
	}
	free(l->original);
	buf_fini(&l->message_id);
	if (done)
		log_info("%s: %s %s: %s", l->c.report->queue_id,
		    l->c.postmaster ? "postmaster" : "sender",
		    compose_log_name(&l->c), l->c.id);
	return done;
}

static void
make_letter(struct letter *l, const struct msg_report *m, char id[QUEUE_ID_MAX])
{
	queue_id_mint(id);
	*l = (struct letter) {
		.c = {
			.kind = (enum compose_kind)m->kind,
			.report = m,
			.id = id,
			.to = m->sender,
			.words = &words[m->kind],
			.whole = m->kind == COMPOSE_FAILURE &&
			    m->ret != RET_HDRS &&
			    m->content_size <=
				(uint64_t)params.bounce_size_limit,
			.hostname = common.myhostname,
			.origin = common.myorigin,
			.mail_name = common.mail_name,
			.now = clock_wall_us() / 1000000,
		},
		.sender = "",
		.inactive = true,
	};
}

/* Our own notice to the postmaster, with or without a domain. */
static bool
is_double_bounce(const char *sender)
{
	const char *name = common.double_bounce_sender;
	size_t n = strlen(name);

	return strncasecmp(sender, name, n) == 0 &&
	    (sender[n] == '\0' ||
		(sender[n] == '@' &&
		    strcasecmp(sender + n + 1, common.myorigin) == 0));
}

/* Who is told about this message, if anybody; may change the letter. */
static bool
address_letter(struct letter *l, const struct msg_report *m)
{
	if (is_double_bounce(m->sender)) {
		log_warning("%s: undeliverable postmaster notification "
			    "discarded",
		    m->queue_id);
		return false;
	}
	if (m->sender[0] != '\0')
		return true;
	if (m->kind != COMPOSE_FAILURE || !notify("2bounce"))
		return false; /* RFC 3461 section 6.2: no report on a report */
	l->c.to = double_bounce_recipient;
	l->c.postmaster = true;
	l->sender = common.double_bounce_sender;
	return true;
}

/* The postmaster's copy: the words and the header, not the message. */
static void
copy_postmaster(const struct msg_report *m, struct ipc *qmgr)
{
	bool failure = m->kind == COMPOSE_FAILURE;
	struct letter copy;
	char id[QUEUE_ID_MAX];

	if (m->sender[0] == '\0' ||
	    !((failure && notify("bounce")) ||
		(m->kind == COMPOSE_DELAY && notify("delay"))))
		return;
	make_letter(&copy, m, id);
	copy.c.to = failure ? params.bounce_notice_recipient :
			      params.delay_notice_recipient;
	copy.c.postmaster = true;
	copy.c.whole = false;
	copy.sender = common.double_bounce_sender;
	copy.inactive = false;
	send_letter(&copy, qmgr);
}

static bool
answer(struct ipc *c, enum verdict verdict, const char *id, const char *text)
{
	struct msg_reported m = { .verdict = verdict,
		.report_id = id,
		.text = text };

	return ipc_send(c, &message_reported, &m, clock_in(60)) == IPC_OK;
}

static bool
make_report(struct ipc *qmgr, const struct msg_report *m)
{
	struct letter l;
	char id[QUEUE_ID_MAX];

	if (m->recipients.count == 0)
		return ipc_refuse(qmgr, "a report about nobody") == IPC_OK;
	make_letter(&l, m, id);
	if (!address_letter(&l, m))
		return answer(qmgr, OK, "", "");
	if (!send_letter(&l, qmgr))
		return answer(qmgr, LATER, "", "mail system unavailable");
	copy_postmaster(m, qmgr);
	return answer(qmgr, OK, id, "");
}

static void
session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_bounce, "qmgr");
	const struct msg_report *m;
	const void *message;
	bool fine = true;

	(void)s;
	do {
		int content;

		if (ipc_expect(c, &message_report, &message,
			clock_in(common.ipc_timeout)) != IPC_OK)
			break;
		m = message;
		content = m->content;
		fine = make_report(c, m);
		fd_close(&content);
	} while (fine && service_goes_on());
	ipc_free(&c);
}

/* A site's words; ours where they are missing or wrong. */
static void
read_templates(struct conf *c)
{
	struct buf text = BUF_INIT(TEMPLATES_MAX), error = BUF_INIT(1024);
	const char *path = params.bounce_template_file;
	int fd = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (path[0] == '\0')
		return;
	if (fd == -1 || fd_read_whole(fd, &text) == -1)
		log_warning("bounce_template_file %s: %m", path);
	else if (!template_parse(buf_span(&text), c, arena_new(), words,
		     &error))
		log_warning("bounce_template_file %s: %s", path,
		    buf_text(&error));
	fd_close(&fd);
	buf_fini(&text);
	buf_fini(&error);
}

static void
before(const struct service *s)
{
	read_templates(s->conf);
	double_bounce_recipient =
	    conf_value(s->conf, "2bounce_notice_recipient");
	if (double_bounce_recipient == NULL)
		double_bounce_recipient = "postmaster";
}

int
main(int argc, char **argv)
{
	static const struct service_params groups[] = {
		{ &common_param_group, &common },
		{ &bounce_param_group, &params },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "bounce",
		.style = SERVICE_ONE,
		.params = groups,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
