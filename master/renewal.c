/* SPDX-License-Identifier: ISC */
/*
 * Renewed certificates: a change of the files that were read for the TLS
 * settings is noticed, and taken up without anybody asking for a reload. The
 * new files are tried first, as a set of their own (tls_kept.h), which takes
 * the old one's place if it is good. While they are wrong (a certificate whose
 * key has not been written yet), everything goes on with the old ones, and so
 * does what is started meanwhile: no program reads them from disk. When one is
 * to be started between a change and the next look, the look is taken then.
 *
 * Only the programs with TLS are replaced, with the settings they have:
 * main.cf is not read again. Sessions finish where they are.
 *
 * SECURITY: the private keys are in the memory of root's process, which reads
 * them anyway to see whether they fit, and in that of keyd.
 */
#include "master/master.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/service/programs.h"

/*
 * So long keyd has each key as well that was replaced: who was connected
 * before may begin TLS by now, with the certificate that its process has.
 */
enum { FORMER_MS = 600 * 1000 };

static struct {
	ev_timer timer;
	uint64_t last; /* what was on disk the time before */
	uint64_t tried; /* that was not good, and why was said */
	uint64_t refused; /* nor for renewal_before_start */
	uint64_t before; /* on disk when a reload began */
} renewal;

static bool
is_current(const struct master *m, uint64_t on_disk)
{
	return on_disk == tls_kept_stamp(m->plan->certificates);
}

/*
 * keyd first: who asks next meets one that knows the new keys. Who could not
 * start with what was there before need not wait any longer.
 */
static void
replace(struct master *m, bool keyd)
{
	for (struct served *s = m->services; s != NULL; s = s->next) {
		if (!plan_has_certificates(s->program) ||
		    (strcmp(s->program->name, "keyd") == 0) != keyd)
			continue;
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (!c->retiring)
				child_retire(c, false);
		service_unthrottle(s);
		service_update(s);
	}
}

static void
take_up(struct master *m)
{
	log_info("TLS certificates or keys have changed: taken up");
	replace(m, true);
	replace(m, false);
}

void
renewal_follow(struct tls_kept *new, struct tls_kept **old)
{
	tls_kept_follow(new, old, clock_ms() + FORMER_MS);
}

static void
forget_former(struct master *m)
{
	if (tls_kept_forget_former(m->plan->certificates, clock_ms()))
		replace(m, true);
}

/* False: the old ones stay; what is wrong is in *errors. */
static bool
try_new(struct master *m, struct buf *errors)
{
	struct plan *plan = m->plan;
	struct tls_kept *new = tls_kept_new(NULL);
	bool good;

	tls_kept_use(new);
	tls_kept_in_force(plan->certificates);
	good = plan_check_certificates(plan, errors);
	tls_kept_in_force(NULL);
	tls_kept_use(NULL);
	if (!good) {
		tls_kept_free(&new);
		return false;
	}
	renewal_follow(new, &plan->certificates);
	plan->certificates = new;
	take_up(m);
	return true;
}

/* A change counts when it has been the same twice: copying takes a while. */
static void
look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct master *m = timer->data;
	struct buf errors = BUF_INIT(60000);
	uint64_t now;

	(void)loop;
	(void)events;
	if (m->stopping)
		return;
	forget_former(m);
	now = tls_kept_stamp_on_disk(m->plan->certificates);
	if (!is_current(m, now) && now == renewal.last &&
	    now != renewal.tried && !try_new(m, &errors)) {
		renewal.tried = now;
		log_warning(RENEWAL_UNUSABLE);
		log_lines(&errors, log_warning);
	}
	renewal.last = now;
	buf_fini(&errors);
}

void
renewal_before_start(struct served *s)
{
	struct master *m = s->master;
	struct buf errors = BUF_INIT(60000);
	uint64_t now;

	if (!plan_has_certificates(s->program))
		return;
	now = tls_kept_stamp_on_disk(m->plan->certificates);
	/* look() says why, if it stays so */
	if (!is_current(m, now) && now != renewal.refused &&
	    !try_new(m, &errors))
		renewal.refused = now;
	buf_fini(&errors);
}

void
renewal_before_reload(const struct master *m)
{
	renewal.before =
	    m->plan == NULL ? 0 : tls_kept_stamp_on_disk(m->plan->certificates);
}

void
renewal_new_plan(struct master *m)
{
	double every = (double)m->plan->params.tls_renewal_check_time;

	/* what came since is tried by look() */
	renewal.tried = renewal.refused = renewal.before;
	if (!ev_is_active(&renewal.timer) || renewal.timer.repeat == every)
		return;
	ev_timer_stop(m->loop, &renewal.timer);
	ev_timer_set(&renewal.timer, every, every);
	ev_timer_start(m->loop, &renewal.timer);
}

void
renewal_start(struct master *m)
{
	double every = (double)m->plan->params.tls_renewal_check_time;

	ev_timer_init(&renewal.timer, look, every, every);
	renewal.timer.data = m;
	ev_timer_start(m->loop, &renewal.timer);
}
