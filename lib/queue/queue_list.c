/* SPDX-License-Identifier: ISC */
#include "lib/queue/queue_list.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"

struct walk {
	const char *queue;
	const char *only;
	bool (*visit)(void *with, const struct queue_entry *e);
	void *with;
	bool stopped;
};

static void
add_recipients(struct arena *a, const struct queue_envelope *e, const char *id,
    struct queue_entry *out)
{
	struct queue_reason *reasons;
	size_t count = queue_reason_read(id, a, &reasons);

	out->recipients =
	    arena_alloc(a, (e->recipient_count + 1) * sizeof(*out->recipients));
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct queue_recipient *r = &e->recipients[i];
		const struct queue_reason *why;

		if (r->status != QUEUE_RECIPIENT_PENDING)
			continue;
		why = queue_reason_find(reasons, count, r->offset);
		out->recipients[out->count++] =
		    (struct queue_entry_recipient){ r->address,
			    why ? why->text : "" };
	}
}

static bool
visit_file(struct walk *w, const char *id, struct arena *a, int fd)
{
	struct queue_entry out = { .queue = w->queue, .id = id };
	struct queue_envelope e;
	struct stat st;

	if (fstat(fd, &st) < 0 ||
	    queue_read_envelope(fd, id, a, &e) != QUEUE_OK)
		return true;
	out.arrival = e.arrival;
	out.size = e.content_size;
	out.sender = e.sender;
	if (strcmp(w->queue, "deferred") == 0)
		out.retry = st.st_mtime;
	add_recipients(a, &e, id, &out);
	return w->visit(w->with, &out);
}

static bool
visit_id(void *with, const char *id)
{
	struct walk *w = with;
	struct arena *a;
	int fd;

	if (w->only != NULL && strcmp(w->only, id) != 0)
		return true;
	fd = queue_open(w->queue, id, false);
	if (fd < 0)
		return true;
	a = arena_new();
	w->stopped = !visit_file(w, id, a, fd);
	arena_free(&a);
	close(fd);
	return !w->stopped;
}

int
queue_list(const char *only,
    bool (*visit)(void *with, const struct queue_entry *e), void *with)
{
	static const char *const queues[] = { "incoming", "deferred", "hold" };
	struct walk w = { .only = only, .visit = visit, .with = with };

	if (only != NULL && !queue_id_valid(only))
		return 0;
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		w.queue = queues[i];
		if (only != NULL)
			visit_id(&w, only);
		else if (queue_scan(w.queue, visit_id, &w) < 0 &&
		    errno != ENOENT)
			return -1;
		if (w.stopped)
			break;
	}
	return 0;
}
