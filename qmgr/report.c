/* SPDX-License-Identifier: ISC */
#include "qmgr/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_bounce.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "qmgr/admit.h"
#include "qmgr/entry_file.h"
#include "qmgr/report_recover.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"

enum { REPORT_RECIPIENTS = 1000, ANSWER_TIMEOUT_S = 600, TRIES = 3 };

static const enum report_about abouts[] = {
	[REPORT_FAILURE] = ABOUT_FAILURE,
	[REPORT_DELAY] = ABOUT_DELAY,
	[REPORT_SUCCESS] = ABOUT_SUCCESS,
	[REPORT_VERIFY] = ABOUT_FAILURE,
};

/* One report on its way. */
struct making {
	struct entry *entry;
	enum report_kind kind;
	struct entry_recipient *const *recipients;
	size_t count;
	enum report_about about;
	int marks; /* the original, for marking */
	char id[QUEUE_ID_MAX]; /* of the report; "" when nobody gets one */
};

/* RFC 3464 section 2.3.3; for sendmail -bv the words Postfix uses. */
static const char *
action_of(const struct reason *r, enum report_kind kind)
{
	switch (kind) {
	case REPORT_FAILURE:
		return "failed";
	case REPORT_DELAY:
		return "delayed";
	case REPORT_VERIFY:
		return r->verdict == OK ? "deliverable" : "undeliverable";
	case REPORT_SUCCESS:
		break;
	}
	return r->action;
}

static void
fill_recipient(struct msg_report_recipient *to,
    const struct entry_recipient *from, enum report_kind kind)
{
	const struct reason *r = from->reason;

	ensure(r != NULL);
	*to = (struct msg_report_recipient){
		.address = from->address,
		.original = from->original,
		.orcpt = from->orcpt,
		.notify = from->notify,
		.action = action_of(r, kind),
		.dsn = r->dsn,
		.text = r->text,
		.mta = r->mta,
		.mta_reply = r->mta_reply,
	};
}

static int64_t
lifetime_us(const struct entry *e)
{
	return 1000000 *
	    (e->sender[0] != '\0' ? settings_params()->maximal_queue_lifetime :
				    settings_params()->bounce_queue_lifetime);
}

/* What the dialogue with bounce has come to. */
enum asked { MADE, NOT_MADE, LOST /* it closed, and said nothing */ };

static enum asked
ask(struct making *m, struct ipc *bounce, const struct msg_report *question)
{
	const struct msg_reported *answer;
	const void *message;
	int64_t deadline = clock_in(ANSWER_TIMEOUT_S);
	enum ipc_result r;

	r = ipc_send(bounce, &message_report, question, deadline);
	if (r == IPC_OK)
		r = ipc_expect(bounce, &message_reported, &message, deadline);
	if (r == IPC_CLOSED || r == IPC_ERROR)
		return LOST;
	if (r != IPC_OK) {
		log_warning("%s: no answer from bounce", m->entry->id);
		return NOT_MADE;
	}
	answer = message;
	if (answer->verdict != OK) {
		log_warning("%s: no report could be made: %s", m->entry->id,
		    answer->text);
		return NOT_MADE;
	}
	if (answer->report_id[0] != '\0' && !queue_id_valid(answer->report_id))
		return NOT_MADE;
	snprintf(m->id, sizeof(m->id), "%s", answer->report_id);
	return MADE;
}

/*
 * A bounce that ends (a reload, long idleness) may close the connection as
 * we speak. Had it made a report all the same, complete() removes it.
 */
static bool
converse(struct making *m, const struct msg_report *question)
{
	enum asked result = LOST;

	for (int i = 0; i < TRIES && result == LOST; i++) {
		struct ipc *bounce =
		    service_ask("bounce", &protocol_bounce, clock_in(60));

		if (bounce == NULL)
			return false;
		result = ask(m, bounce, question);
		if (result == LOST)
			scan_recover_soon();
		service_done("bounce", &bounce, result != LOST);
	}
	if (result == LOST)
		log_warning("%s: lost connection with bounce", m->entry->id);
	return result == MADE;
}

static bool
ask_bounce(struct making *m)
{
	const struct entry *e = m->entry;
	struct msg_report_recipient *items =
	    mem_array(m->count, sizeof(*items));
	struct msg_report question = {
		.kind = m->kind,
		.queue_id = e->id,
		.content_offset = (uint64_t)e->content_offset,
		.content_size = (uint64_t)e->content_size,
		.sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.flags = e->flags,
		.arrival = (uint64_t)e->arrival,
		.give_up = m->kind == REPORT_DELAY ?
		    (uint64_t)(e->arrival + lifetime_us(e)) :
		    0,
		.recipients = { items, m->count },
	};
	bool done;

	for (size_t i = 0; i < m->count; i++)
		fill_recipient(&items[i], m->recipients[i], m->kind);
	question.content = queue_open(e->queue, e->id, false);
	if (question.content == -1)
		question.content = queue_open("hold", e->id, false);
	done = question.content != -1 && converse(m, &question);
	fd_close(&question.content);
	free(items);
	return done;
}

static bool
mark_recipients(const struct making *m, enum report_stage stage)
{
	char letter = report_state_letter(m->about, stage);

	for (size_t i = 0; i < m->count; i++)
		if (queue_mark(m->marks, m->recipients[i]->offset, letter) ==
		    -1)
			return false;
	return true;
}

/* The flags' place is not kept in memory: warnings are rare. */
static bool
mark_flags(const struct making *m, enum report_stage stage)
{
	unsigned int flags = report_state_flags(m->entry->flags, stage);
	struct arena *a = arena_new();
	struct queue_envelope e;
	bool done =
	    queue_read_envelope(m->marks, m->entry->id, a, &e) == QUEUE_OK &&
	    queue_mark_flags(m->marks, &e, flags) == 0;

	arena_free(&a);
	if (done)
		m->entry->flags = flags;
	return done;
}

/* Durable on return. */
static bool
mark(const struct making *m, enum report_stage stage)
{
	bool done = m->about == ABOUT_DELAY ? mark_flags(m, stage) :
					      mark_recipients(m, stage);

	if (done && fdatasync(m->marks) == 0)
		return true;
	log_error("%s: cannot mark the queue file: %s", m->entry->id,
	    strerror(errno));
	return false;
}

/* Where nobody gets a report there is nothing to activate. */
static bool
complete(const struct making *m)
{
	if (m->id[0] == '\0')
		return mark(m, STAGE_MADE);
	/* left by a bounce that outlived the qmgr which asked it */
	report_discard(m->entry->id, m->about, m->id);
	if (!mark(m, STAGE_MAKING) || !report_activate(m->id))
		return false;
	mark(m, STAGE_MADE);
	if (!service_retiring())
		admit_file("incoming", m->id, false);
	return true;
}

static bool
make_part(struct making *m)
{
	bool done;

	m->marks = entry_file_open_for_marks(m->entry);
	if (m->marks == -1) {
		log_warning("%s: cannot open the queue file: %s", m->entry->id,
		    strerror(errno));
		return errno == ENOENT; /* postsuper -d: nothing to report */
	}
	done = ask_bounce(m) && complete(m);
	fd_close(&m->marks);
	return done;
}

bool
report_make(struct entry *e, enum report_kind kind,
    struct entry_recipient *const *recipients, size_t count)
{
	struct making m = { .entry = e, .kind = kind, .about = abouts[kind] };
	bool all = true;

	for (size_t at = 0; at < count && all; at += m.count) {
		m.recipients = recipients + at;
		m.count = count - at < REPORT_RECIPIENTS ? count - at :
							   REPORT_RECIPIENTS;
		all = make_part(&m);
		for (size_t i = 0; all && i < m.count; i++)
			m.recipients[i]->settled = kind != REPORT_DELAY;
	}
	if (!all)
		scan_recover_soon();
	return all;
}
