/* SPDX-License-Identifier: ISC */
#include "qmgr/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"
#include "lib/task/task.h"
#include "qmgr/admit.h"
#include "qmgr/asked.h"
#include "qmgr/entry.h"
#include "qmgr/report_recover.h"
#include "qmgr/schedule.h"
#include "qmgr/settings.h"
#include "qmgr/soon.h"

enum {
	INCOMING_EVERY_S = 60, /* for lost notices */
	INCOMING_FIRST_S = 2, /* for those that the qmgr before us took along */
	SWEEP_FIRST = 3, /* pass over incoming behind which others are swept */
	SWEEP_EVERY = 60, /* ... and then again after so many */
	LOOKUP_PAUSE_S = 5,
	RECOVER_EVERY_S = 2,
	RECOVER_FOR_S = 30,
	YIELD_EVERY = 64, /* files */
	SITES_MAX = 16, /* more are taken for all */
	ASKED_MAX = 32768, /* bytes of lines */
};

/*
 * A flush; what was touched since it was asked for has had its turn: attempts
 * that were under way just then are followed by others (entry_ask).
 */
struct request {
	char *site; /* owned; NULL: all */
	int64_t since; /* microseconds since 1970; 0: none */
};

static struct {
	struct task *incoming;
	struct task *deferred;
	struct wait_queue incoming_wanted;
	struct wait_queue deferred_wanted;
	struct wait_queue room;
	bool incoming_again; /* asked for while a scan runs */
	bool deferred_again;
	int64_t recover_until; /* what died may still leave a report */
	bool recovered; /* at the start */
	struct request all; /* the next deferred scan takes all */
	struct request sites[SITES_MAX]; /* ... takes what goes there */
	size_t site_count;
	const struct pass *asked; /* being done */
	int64_t flushed; /* when last, by clock_ms() */
} scan;

/* What one pass over a directory does with its files. */
struct pass {
	const char *queue;
	bool again;
	struct request all;
	struct request sites[SITES_MAX];
	size_t site_count;
	int64_t now; /* seconds */
	unsigned int seen;
};

static void
note_request(struct buf *lines, const struct request *r)
{
	if (r->since > 0)
		buf_printf(lines, "%lld %s\n", (long long)r->since,
		    r->site != NULL ? r->site : "*");
}

/* What is asked for, and what is being done of it. */
static void
note_asked(void)
{
	struct buf lines = BUF_INIT(ASKED_MAX);
	const struct pass *p = scan.asked;

	if (p != NULL)
		note_request(&lines, &p->all);
	for (size_t i = 0; p != NULL && i < p->site_count; i++)
		note_request(&lines, &p->sites[i]);
	note_request(&lines, &scan.all);
	for (size_t i = 0; i < scan.site_count; i++)
		note_request(&lines, &scan.sites[i]);
	asked_write(buf_span(&lines));
	buf_fini(&lines);
}

static void
want_all(int64_t since)
{
	if (scan.all.since < since)
		scan.all.since = since;
}

static void
want_site(const char *site, int64_t since)
{
	struct request *r = scan.sites;

	for (size_t i = 0; i < scan.site_count; i++, r++)
		if (strcasecmp(r->site, site) == 0) {
			if (r->since < since)
				r->since = since;
			return;
		}
	if (scan.site_count == SITES_MAX) {
		want_all(since);
		return;
	}
	*r = (struct request){ mem_text(site), since };
	scan.site_count++;
}

/* "MICROSECONDS site"; without a time, or with one to come: as of now. */
static void
take_line(struct span line)
{
	int64_t now = clock_wall_us();
	struct span word, rest = line;
	uint64_t since = (uint64_t)now;
	char *site;

	if (span_cut(&rest, " ", true, &word) && rest.n > 0) {
		if (!span_u64(word, (uint64_t)now, &since) || since == 0)
			since = (uint64_t)now;
		line = rest;
	}
	site = mem_span_text(line);
	if (strcmp(site, "*") == 0)
		want_all((int64_t)since);
	else if (site[0] != '\0')
		want_site(site, (int64_t)since);
	free(site);
}

/* By the qmgr before us, which did not come to its end. */
static void
take_asked(void)
{
	struct buf lines = BUF_INIT(ASKED_MAX);
	struct span rest, line;

	asked_read(&lines);
	rest = buf_span(&lines);
	while (span_cut(&rest, "\n", false, &line))
		take_line(line);
	buf_fini(&lines);
	if (scan.all.since > 0 || scan.site_count > 0) {
		note_asked();
		scan_deferred();
	}
}

/* Whoever comes after us tries it. */
static void
make_due(const char *id)
{
	int fd = queue_open("deferred", id, false);

	if (fd != -1)
		(void)queue_set_retry(fd, clock_wall_us() / 1000000);
	fd_close(&fd);
}

void
scan_room_freed(void)
{
	wait_wake_all(&scan.room);
}

/* False when cancelled. */
static bool
wait_for_room(bool again)
{
	while (!admit_room(again))
		if (wait_on(&scan.room, clock_in(60)) == WAIT_CANCELLED)
			return false;
	return !task_cancelled();
}

/* Takes it up, however long lookup is away. False when cancelled. */
static bool
admit(const char *queue, const char *id, bool again, bool urgent)
{
	if (!wait_for_room(again))
		return false;
	while (admit_file(queue, id, urgent) == ADMIT_LATER)
		if (wait_until(clock_in(LOOKUP_PAUSE_S)) == WAIT_CANCELLED)
			return false;
	return !task_cancelled();
}

static bool
due(const struct pass *p, const char *id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	int fd;

	queue_path(p->queue, id, path);
	if (lstat(path, &st) == 0)
		return st.st_mtime <= p->now;
	fd = queue_open(p->queue, id, false); /* another hash depth */
	if (fd == -1 || fstat(fd, &st) == -1)
		st.st_mtime = p->now + 1;
	fd_close(&fd);
	return st.st_mtime <= p->now;
}

/*
 * When an attempt ends, or is noted as due, the file is touched (ctime); what a
 * clock that was set has left in the future counts for nothing.
 */
static bool
had_its_turn(const struct request *r, int64_t touched, int64_t now)
{
	return r->since == 0 || (touched >= r->since && touched <= now);
}

static bool
goes_to(const struct queue_envelope *e, const struct pass *p, int64_t touched,
    int64_t now)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		const char *at = strrchr(e->recipients[i].address, '@');

		if (at == NULL ||
		    e->recipients[i].status != QUEUE_RECIPIENT_PENDING)
			continue;
		for (size_t s = 0; s < p->site_count; s++)
			if (!had_its_turn(&p->sites[s], touched, now) &&
			    strcasecmp(at + 1, p->sites[s].site) == 0)
				return true;
	}
	return false;
}

static bool
site_asked_for(const struct pass *p, const char *id, int fd, int64_t touched,
    int64_t now)
{
	struct arena *a;
	struct queue_envelope e;
	bool found;

	if (p->site_count == 0)
		return false;
	a = arena_new();
	found = queue_read_envelope(fd, id, a, &e) == QUEUE_OK &&
	    goes_to(&e, p, touched, now);
	arena_free(&a);
	return found;
}

static bool
asked_for(const struct pass *p, const char *id)
{
	struct stat st;
	int64_t touched, now = clock_wall_us();
	bool found = false;
	int fd;

	if (p->all.since == 0 && p->site_count == 0)
		return false;
	fd = queue_open(p->queue, id, false);
	if (fd != -1 && fstat(fd, &st) == 0) {
		touched = (int64_t)st.st_ctim.tv_sec * 1000000 +
		    st.st_ctim.tv_nsec / 1000;
		found = !had_its_turn(&p->all, touched, now) ||
		    site_asked_for(p, id, fd, touched, now);
	}
	fd_close(&fd);
	return found;
}

static bool
visit(void *with, const char *id)
{
	struct pass *p = with;
	bool urgent;

	if (++p->seen % YIELD_EVERY == 0 && wait_yield() == WAIT_CANCELLED)
		return false;
	if (entry_find(id) != NULL)
		return true;
	urgent = asked_for(p, id);
	if (p->again && !urgent && !due(p, id))
		return true;
	if (urgent)
		make_due(id);
	return admit(p->queue, id, p->again, urgent);
}

/* False: not all was seen. */
static bool
pass_over(struct pass *p)
{
	bool read;

	p->now = clock_wall_us() / 1000000;
	read = queue_scan(p->queue, visit, p) != -1;
	if (!read && !task_cancelled())
		log_error("cannot read the queue \"%s\"", p->queue);
	return read && !task_cancelled();
}

/* False when the task must end. */
static bool
pause_until(struct wait_queue *q, bool *again, int64_t seconds)
{
	if (!*again && wait_on(q, clock_in(seconds)) == WAIT_CANCELLED)
		return false;
	*again = false;
	return !task_cancelled();
}

static bool
remove_incomplete(void *with, const char *id)
{
	unsigned int *seen = with;

	(void)queue_remove_incomplete("hold", id);
	return ++*seen % YIELD_EVERY != 0 || wait_yield() != WAIT_CANCELLED;
}

/*
 * cleanup writes to hold where an access table says so, and may have died
 * there. The first sweep comes when all of a time before us is old enough.
 */
static void
sweep_hold(void)
{
	unsigned int seen = 0;

	(void)queue_scan("hold", remove_incomplete, &seen);
}

static bool
is_in(const char *queue, const char *id)
{
	int fd = queue_open(queue, id, false);
	bool is = fd != -1 || errno != ENOENT;

	fd_close(&fd);
	return is;
}

/* In the order in which messages move: released from hold one may be missed. */
static bool
remove_orphan(void *with, const char *id)
{
	unsigned int *seen = with;

	if (entry_find(id) == NULL && !is_in("incoming", id) &&
	    !is_in("deferred", id) && !is_in("hold", id))
		queue_reason_remove(id);
	return ++*seen % YIELD_EVERY != 0 || wait_yield() != WAIT_CANCELLED;
}

/*
 * Of messages that went when no qmgr was there to see it: an agent had them
 * renamed into a mailbox, or a person removed them.
 */
static void
sweep_reasons(void)
{
	unsigned int seen = 0;

	(void)queue_scan("defer", remove_orphan, &seen);
}

static void
incoming_task(void *nothing)
{
	struct pass p = { .queue = "incoming" };
	int64_t pause = INCOMING_FIRST_S;
	unsigned int passes = 0;
	bool more;

	(void)nothing;
	do {
		report_recover();
		if (!scan.recovered)
			scan_deferred();
		scan.recovered = true;
		(void)pass_over(&p);
		if (++passes % SWEEP_EVERY == SWEEP_FIRST) {
			sweep_hold();
			sweep_reasons();
		}
		schedule_sweep(clock_ms());
		if (clock_ms() < scan.recover_until)
			pause = RECOVER_EVERY_S;
		more = pause_until(&scan.incoming_wanted, &scan.incoming_again,
		    pause);
		pause = INCOMING_EVERY_S;
	} while (more);
	scan.incoming = NULL;
}

static void
revive_all(void *with, struct transport *t)
{
	struct destination *d, *next;

	(void)with;
	transport_revive(t);
	HASH_ITER (by_key, t->by_key, d, next) {
		destination_revive(d);
		destination_forget(d);
	}
}

/* For the next pass, or the next qmgr: the note stays as it is. */
static void
ask_again(const struct pass *p)
{
	want_all(p->all.since);
	for (size_t i = 0; i < p->site_count; i++)
		want_site(p->sites[i].site, p->sites[i].since);
}

static void
deferred_pass(void)
{
	struct pass p = { .queue = "deferred", .again = true };
	bool asked = scan.all.since > 0 || scan.site_count > 0;

	p.all = scan.all;
	p.site_count = scan.site_count;
	memcpy(p.sites, scan.sites, sizeof(p.sites));
	scan.all.since = 0;
	scan.site_count = 0;
	scan.asked = &p;
	if (asked)
		transport_each(revive_all, NULL);
	if (!pass_over(&p))
		ask_again(&p);
	scan.asked = NULL;
	if (asked && !task_cancelled())
		note_asked();
	for (size_t i = 0; i < p.site_count; i++)
		free(p.sites[i].site);
}

static void
deferred_task(void *nothing)
{
	(void)nothing;
	while (pause_until(&scan.deferred_wanted, &scan.deferred_again,
	    settings_params()->queue_run_delay))
		if (scan.recovered)
			deferred_pass();
	scan.deferred = NULL;
}

void
scan_incoming(void)
{
	if (!wait_wake_one(&scan.incoming_wanted))
		scan.incoming_again = true;
}

void
scan_deferred(void)
{
	if (!wait_wake_one(&scan.deferred_wanted))
		scan.deferred_again = true;
}

void
scan_recover_soon(void)
{
	scan.recover_until = clock_in(RECOVER_FOR_S);
	scan_incoming();
}

static void
ask_one(void *with, struct entry *e)
{
	const char *const *site = with;

	entry_ask(e, *site);
}

/*
 * What is deferred, by the next pass; what is under way here, when that has
 * failed; and what is still under way with the qmgr before us, likewise.
 */
static void
flush(const char *site)
{
	scan.flushed = clock_ms();
	transport_each(revive_all, NULL);
	entry_each(ask_one, &site);
	soon_ask();
	note_asked();
	scan_deferred();
}

int64_t
scan_flushed(void)
{
	return scan.flushed;
}

void
scan_flush(void)
{
	want_all(clock_wall_us());
	flush(NULL);
}

void
scan_flush_site(const char *domain)
{
	want_site(domain, clock_wall_us());
	flush(domain);
}

void
scan_flush_message(const char *id)
{
	struct entry *e = queue_id_valid(id) ? entry_find(id) : NULL;
	enum admitted result;

	scan.flushed = clock_ms();
	if (e != NULL) {
		e->urgent = true;
		entry_ask(e, NULL);
	}
	if (e != NULL || !queue_id_valid(id))
		return;
	make_due(id);
	transport_each(revive_all, NULL);
	result = admit_file("deferred", id, true);
	if (result == ADMIT_LATER)
		soon_again("deferred", id);
	else if (result == ADMIT_GONE)
		admit_file("incoming", id, true);
}

void
scan_start(void)
{
	scan.incoming = task_start(incoming_task, NULL);
	scan.deferred = task_start(deferred_task, NULL);
	soon_start();
	take_asked();
}

void
scan_stop(void)
{
	struct task *const tasks[] = { scan.incoming, scan.deferred };

	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (tasks[i] != NULL)
			task_cancel(tasks[i]);
	soon_stop();
}

bool
scan_busy(void)
{
	return scan.incoming != NULL || scan.deferred != NULL || soon_busy();
}
