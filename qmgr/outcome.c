/* SPDX-License-Identifier: ISC */
#include "qmgr/outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_reason.h"
#include "lib/service/service.h"
#include "lib/task/task.h"
#include "qmgr/backoff.h"
#include "qmgr/entry_file.h"
#include "qmgr/life.h"
#include "qmgr/report.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"
#include "qmgr/soon.h"

static size_t busy;

size_t
outcome_busy(void)
{
	return busy;
}

/* Recipients of one kind, at most e->count. */
struct picked {
	struct entry_recipient **recipients;
	size_t count;
};

static int64_t
age_s(const struct entry *e)
{
	return (clock_wall_us() - e->arrival) / 1000000;
}

static bool
expired(const struct entry *e)
{
	const struct qmgr_params *p = settings_params();

	return age_s(e) >= (e->sender[0] != '\0' ? p->maximal_queue_lifetime :
						   p->bounce_queue_lifetime);
}

static bool
warning_due(const struct entry *e)
{
	int64_t after = settings_params()->delay_warning_time;

	return after > 0 && age_s(e) >= after && e->sender[0] != '\0' &&
	    !(e->flags & (QUEUE_WARNED | QUEUE_REPORT));
}

/* RFC 3461 section 4.1: absent NOTIFY means failures and perhaps delays. */
static bool
wants(const struct entry_recipient *r, enum dsn_notify what)
{
	return r->notify == NOTIFY_DEFAULT || r->notify & what;
}

static bool
has_verdict(const struct entry_recipient *r, enum verdict verdict)
{
	return !r->settled && r->reason != NULL &&
	    r->reason->verdict == verdict;
}

static struct picked
pick(struct entry *e,
    bool (*wanted)(const struct entry *e, const struct entry_recipient *r))
{
	struct picked p = { mem_array(e->count, sizeof(*p.recipients)), 0 };

	for (uint32_t i = 0; i < e->count; i++)
		if (wanted(e, &e->recipients[i]))
			p.recipients[p.count++] = &e->recipients[i];
	return p;
}

static bool
report_picked(struct entry *e, enum report_kind kind,
    bool (*wanted)(const struct entry *e, const struct entry_recipient *r))
{
	struct picked p = pick(e, wanted);
	bool done = p.count == 0 || report_make(e, kind, p.recipients, p.count);

	if (!done)
		e->soon = true; /* bounce failed, not the mail */
	free(p.recipients);
	return done;
}

static bool
failed(const struct entry *e, const struct entry_recipient *r)
{
	return (has_verdict(r, NEVER) ||
		   (has_verdict(r, LATER) && expired(e))) &&
	    wants(r, NOTIFY_FAILURE);
}

static bool
failed_in_silence(const struct entry *e, const struct entry_recipient *r)
{
	return (has_verdict(r, NEVER) ||
		   (has_verdict(r, LATER) && expired(e))) &&
	    !wants(r, NOTIFY_FAILURE);
}

static bool
delayed(const struct entry *e, const struct entry_recipient *r)
{
	(void)e;
	return has_verdict(r, LATER) && wants(r, NOTIFY_DELAY);
}

static bool
tried(const struct entry *e, const struct entry_recipient *r)
{
	(void)e;
	return has_verdict(r, LATER);
}

static bool
succeeded(const struct entry *e, const struct entry_recipient *r)
{
	(void)e;
	return has_verdict(r, OK);
}

static bool
answered(const struct entry *e, const struct entry_recipient *r)
{
	(void)e;
	return !r->settled && r->reason != NULL;
}

static bool
any(const struct entry *e,
    bool (*wanted)(const struct entry *e, const struct entry_recipient *r))
{
	for (uint32_t i = 0; i < e->count; i++)
		if (wanted(e, &e->recipients[i]))
			return true;
	return false;
}

static bool
pending(const struct entry *e, const struct entry_recipient *r)
{
	(void)e;
	return !r->settled;
}

/* The sender asked not to be told; the mark keeps it from a second try. */
static void
settle_silently(struct entry *e)
{
	struct picked p = pick(e, failed_in_silence);
	int fd = p.count > 0 && !e->lone ? entry_file_open_for_marks(e) : -1;

	for (size_t i = 0; i < p.count; i++) {
		if (fd != -1 &&
		    queue_mark(fd, (off_t)p.recipients[i]->offset,
			QUEUE_RECIPIENT_BOUNCED) == -1)
			log_error("%s: cannot mark a recipient: %s", e->id,
			    strerror(errno));
		p.recipients[i]->settled = true;
	}
	fd_close(&fd);
	free(p.recipients);
}

static void
keep_reasons(const struct entry *e)
{
	struct queue_reason *out = mem_array(e->count, sizeof(*out));
	size_t count = 0;

	for (uint32_t i = 0; i < e->count; i++) {
		const struct entry_recipient *r = &e->recipients[i];

		if (r->settled || r->reason == NULL)
			continue;
		out[count++] = (struct queue_reason){ r->offset, r->reason->dsn,
			r->reason->mta, r->reason->text };
	}
	if (count > 0 && queue_reason_write(e->id, out, count) == -1)
		log_warning("%s: cannot note the reason of its delay: %s",
		    e->id, strerror(errno));
	free(out);
}

static void
defer(struct entry *e)
{
	const struct backoff_limits *lim = settings_backoff();
	int64_t age = age_s(e);
	int64_t delay =
	    backoff_delay(lim, backoff_failures(lim, age), (uint32_t)random());
	int64_t when = (clock_wall_us() + 999999) / 1000000 +
	    (delay < INT32_MAX ? delay : INT32_MAX);

	/*
	 * The agent's failure, not the mail's; but not for ever. On disk it is
	 * due at once: that we look again soon is known to nobody else, and the
	 * qmgr after us would leave it for the queue run after its first.
	 */
	if (e->soon && age < lim->floor_s)
		when = clock_wall_us() / 1000000;
	else
		e->soon = false;
	if (e->asked)
		when = clock_wall_us() / 1000000;
	keep_reasons(e);
	if (entry_file_defer(e, when) == -1 && errno != ENOENT)
		log_error("%s: cannot defer: %s", e->id, strerror(errno));
	if (e->asked)
		soon_now(e->queue, e->id);
	else if (e->soon)
		soon_again(e->queue, e->id);
}

/* A qmgr that retires has no second attempt of its own. */
static bool
is_for_the_next(const struct entry *e)
{
	return e->withdrawn || ((e->soon || e->asked) && service_retiring());
}

static void
finish(struct entry *e)
{
	if (e->gone) {
		queue_reason_remove(e->id);
	} else if (any(e, pending) && is_for_the_next(e)) {
		entry_file_leave(e, e->urgent || e->soon || e->asked);
	} else if (any(e, pending)) {
		defer(e);
	} else {
		entry_file_remove(e);
		log_info("%s: removed", e->id);
	}
	entry_free(&e);
	scan_room_freed();
}

static void
report_all(struct entry *e)
{
	char from[MAIL_ADDRESS_SHOWN_MAX];

	if (e->flags & QUEUE_VERIFY) {
		report_picked(e, REPORT_VERIFY, answered);
		return;
	}
	if (expired(e) && any(e, tried))
		log_info("%s: from=<%s>, status=expired, returned to sender",
		    e->id, mail_address_shown(e->sender, from));
	report_picked(e, REPORT_FAILURE, failed);
	settle_silently(e);
	report_picked(e, REPORT_SUCCESS, succeeded);
	if (!expired(e) && warning_due(e))
		report_picked(e, REPORT_DELAY, delayed);
}

static bool
report_due(const struct entry *e)
{
	if (e->flags & QUEUE_VERIFY)
		return any(e, answered);
	return any(e, failed) || any(e, failed_in_silence) ||
	    any(e, succeeded) || (warning_due(e) && any(e, delayed));
}

static void
settle(void *argument)
{
	struct entry *e = argument;

	report_all(e);
	finish(e);
	busy--;
	life_check();
}

void
outcome_settle(struct entry *e)
{
	ensure(e->busy == 0);
	if (e->gone || !report_due(e)) {
		finish(e);
		return;
	}
	if (e->hold == -1)
		entry_file_hold(e);
	busy++;
	task_start(settle, e);
}
