/* SPDX-License-Identifier: ISC */
#include "qmgr/report_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "qmgr/entry.h"

enum about {
	ABOUT_FAILURE,
	ABOUT_DELAY,
	ABOUT_SUCCESS,
	ABOUT_VERIFY,
	ABOUT_UNKNOWN,
};

static const char *const about_names[] = {
	[ABOUT_FAILURE] = "failure:",
	[ABOUT_DELAY] = "delay:",
	[ABOUT_SUCCESS] = "success:",
	[ABOUT_VERIFY] = "verify:",
};

static enum about
parse_client(const char *client, const char **original)
{
	for (int i = 0; i < ABOUT_UNKNOWN; i++) {
		*original = client + strlen(about_names[i]);
		if (strncmp(client, about_names[i], strlen(about_names[i])) ==
			0 &&
		    queue_id_valid(*original))
			return (enum about)i;
	}
	return ABOUT_UNKNOWN;
}

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
	int fd = queue_open("report", id, false);
	enum queue_read result;

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

static bool
has_status(const struct queue_envelope *e, char status)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].status == status)
			return true;
	return false;
}

struct search {
	const char *original;
	char report[QUEUE_ID_MAX];
};

static bool
search_visit(void *with, const char *id)
{
	struct search *s = with;
	struct arena *a = arena_new();
	struct queue_envelope e;
	const char *original;

	if (read_report(id, a, &e) &&
	    parse_client(e.client, &original) == ABOUT_FAILURE &&
	    strcmp(original, s->original) == 0)
		memcpy(s->report, id, strlen(id) + 1);
	arena_free(&a);
	return s->report[0] == '\0';
}

/* All 'R' become "status", durable on return. */
static bool
change_reporting(int fd, const char *id, struct queue_envelope *e, char status)
{
	bool done = true;

	for (size_t i = 0; done && i < e->recipient_count; i++) {
		struct queue_recipient *r = &e->recipients[i];

		if (r->status != QUEUE_RECIPIENT_REPORTING)
			continue;
		done = queue_mark(fd, r->offset, status) == 0;
		r->status = status;
	}
	if (done && fdatasync(fd) == 0)
		return true;
	log_error("%s: cannot mark the queue file: %s", id, strerror(errno));
	return false;
}

bool
report_recover_message(int fd, const char *id, struct queue_envelope *e)
{
	struct search s = { .original = id };

	if (!has_status(e, QUEUE_RECIPIENT_REPORTING))
		return true;
	queue_scan("report", search_visit, &s);
	if (s.report[0] == '\0')
		return change_reporting(fd, id, e, QUEUE_RECIPIENT_BOUNCED);
	/* undo first: a report without its 'R' is harmless, not the reverse */
	if (!change_reporting(fd, id, e, QUEUE_RECIPIENT_PENDING))
		return false;
	queue_remove("report", s.report);
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

/* Did the original record that the report exists? */
static bool
recorded(enum about about, const struct queue_envelope *e)
{
	switch (about) {
	case ABOUT_FAILURE:
		return false; /* else it would not be here any more */
	case ABOUT_DELAY:
		return e->flags & QUEUE_WARNED;
	case ABOUT_SUCCESS:
		return !has_status(e, QUEUE_RECIPIENT_SUCCESS);
	case ABOUT_VERIFY:
		return !has_status(e, QUEUE_RECIPIENT_PENDING);
	case ABOUT_UNKNOWN:
		break;
	}
	return true;
}

static bool
recover_visit(void *with, const char *id)
{
	struct arena *a = arena_new();
	struct queue_envelope report, e;
	const char *original;
	enum about about;
	int fd = -1;

	(void)with;
	if (!read_report(id, a, &report))
		goto out;
	about = parse_client(report.client, &original);
	if (about != ABOUT_UNKNOWN && entry_find(original) != NULL)
		goto out; /* it is being made right now */
	if (about != ABOUT_UNKNOWN)
		fd = open_original(original);
	if (fd == -1 || queue_read_envelope(fd, original, a, &e) != QUEUE_OK ||
	    recorded(about, &e)) {
		log_info("%s: report of an earlier run activated", id);
		report_activate(id);
	} else if (about != ABOUT_FAILURE ||
	    change_reporting(fd, original, &e, QUEUE_RECIPIENT_PENDING)) {
		log_info("%s: unfinished report of an earlier run removed", id);
		queue_remove("report", id);
	}
out:
	fd_close(&fd);
	arena_free(&a);
	return true;
}

void
report_recover(void)
{
	if (queue_scan("report", recover_visit, NULL) == -1)
		log_error("cannot read the report queue: %s", strerror(errno));
}
