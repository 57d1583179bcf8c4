/* SPDX-License-Identifier: ISC */
#include "qmgr/report_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "qmgr/entry.h"
#include "qmgr/patience.h"

static int
sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd == -1 ? -1 : fsync(fd);

	fd_close(&fd);
	return result;
}

bool
report_activate(const char *id)
{
	if (queue_move(id, "report", "incoming") == 0 &&
	    sync_directory("incoming") == 0)
		return true;
	log_error("%s: cannot activate a report: %s", id, strerror(errno));
	return false;
}

/* The report a file in the report queue is; false: leave it alone. */
static bool
read_report(const char *id, struct arena *a, struct queue_envelope *e)
{
	enum queue_read result;
	int fd;

	if (queue_has_other_name("report", id)) { /* it was activated */
		queue_remove("report", id);
		return false;
	}
	fd = queue_open("report", id, false);
	if (fd == -1)
		return false;
	result = queue_read_envelope(fd, id, a, e);
	fd_close(&fd);
	if (result == QUEUE_INCOMPLETE)
		queue_remove_incomplete("report", id);
	if (result == QUEUE_CORRUPT) {
		log_warning("saving corrupt file \"%s\" from queue \"report\""
			    " to queue \"corrupt\"",
		    id);
		queue_move(id, "report", "corrupt");
	}
	return result == QUEUE_OK;
}

static void
remove_report(const char *id)
{
	log_info("%s: unfinished report of an earlier run removed", id);
	queue_remove("report", id);
}

struct search {
	const char *original;
	enum report_about about;
	const char *keep;
	bool look_only;
	size_t found;
};

static bool
search_visit(void *with, const char *id)
{
	struct search *s = with;
	struct arena *a = arena_new();
	struct queue_envelope e;
	enum report_about about;
	const char *original;

	if ((s->keep == NULL || strcmp(id, s->keep) != 0) &&
	    read_report(id, a, &e) &&
	    report_state_parse(e.client, &about, &original) &&
	    about == s->about && strcmp(original, s->original) == 0) {
		s->found++;
		if (!s->look_only)
			remove_report(id);
	}
	arena_free(&a);
	return true;
}

size_t
report_discard(const char *original, enum report_about about, const char *keep)
{
	struct search s = { original, about, keep, false, 0 };

	queue_scan("report", search_visit, &s);
	return s.found;
}

static bool
is_in_report_queue(const char *original, enum report_about about)
{
	struct search s = { original, about, NULL, true, 0 };

	queue_scan("report", search_visit, &s);
	return s.found > 0;
}

static bool
settle(int fd, const char *id, struct queue_envelope *e,
    enum report_about about, enum report_stage stage)
{
	if (report_state_settle(fd, e, about, stage) == 0)
		return true;
	log_error("%s: cannot mark the queue file: %s", id, strerror(errno));
	return false;
}

/*
 * A report that is still in the report queue was not committed. Undone is
 * first the message, then the report: between the two a crash leaves a
 * report nobody knows of, which is removed; the other way round the message
 * would look as if it had been reported.
 */
static bool
recover_kind(int fd, const char *id, struct queue_envelope *e,
    enum report_about about)
{
	if (!report_state_making(e, about))
		return true;
	if (!is_in_report_queue(id, about))
		return settle(fd, id, e, about, STAGE_MADE);
	if (!settle(fd, id, e, about, STAGE_NONE))
		return false;
	report_discard(id, about, NULL);
	return true;
}

bool
report_recover_message(int fd, const char *id, struct queue_envelope *e)
{
	for (int about = 0; about < ABOUT_KINDS; about++)
		if (!recover_kind(fd, id, e, (enum report_about)about))
			return false;
	return true;
}

static int
open_original(const char *id)
{
	static const char *const queues[] = { "incoming", "deferred", "hold" };
	int fd = -1;

	for (size_t i = 0; fd == -1 && i < 3; i++)
		fd = queue_open(queues[i], id, true);
	return fd;
}

/*
 * False: an earlier qmgr is making this report, or the message could not be
 * marked; try again later.
 */
static bool
undo(const char *original, struct arena *a, enum report_about about)
{
	struct queue_envelope e;
	int fd = open_original(original);
	bool done = true;

	if (fd != -1 && patience_in_use(fd, original))
		done = false;
	else if (fd != -1 &&
	    queue_read_envelope(fd, original, a, &e) == QUEUE_OK &&
	    report_state_making(&e, about))
		done = settle(fd, original, &e, about, STAGE_NONE);
	fd_close(&fd);
	return done;
}

static bool
recover_visit(void *with, const char *id)
{
	struct arena *a = arena_new();
	struct queue_envelope report;
	enum report_about about;
	const char *original;

	(void)with;
	if (!read_report(id, a, &report)) {
		arena_free(&a);
		return true;
	}
	if (!report_state_parse(report.client, &about, &original))
		report_activate(id); /* none of ours; then it is mail */
	else if (entry_find(original) == NULL && undo(original, a, about))
		remove_report(id);
	arena_free(&a);
	return true;
}

void
report_recover(void)
{
	if (queue_scan("report", recover_visit, NULL) == -1)
		log_error("cannot read the report queue: %s", strerror(errno));
}
