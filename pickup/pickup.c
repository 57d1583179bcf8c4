/* SPDX-License-Identifier: ISC */
/*
 * pickup: takes what postdrop left in maildrop and submits it.
 *
 * SECURITY: runs as the owner of the queue, in the queue directory as root
 * directory. The files were written by postdrop, which checked them; the
 * users they belong to are hostile, and cannot reach them. Opens no links,
 * no pipes, nothing with two names.
 */
#include "pickup/drop.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/receive_override.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"

static struct drop_settings settings;

/* Ids in the order in which they were minted. */
struct ids {
	char (*items)[QUEUE_ID_MAX];
	size_t count;
	size_t room;
};

enum { IDS_MAX = 10000 }; /* taken in one go; the rest comes next */

static bool
note(void *with, const char *id)
{
	struct ids *ids = with;

	if (ids->count == ids->room) {
		ids->room = ids->room ? 2 * ids->room : 64;
		ids->items =
		    mem_resize(ids->items, ids->room * sizeof(*ids->items));
	}
	memcpy(ids->items[ids->count++], id, strlen(id) + 1);
	return ids->count < IDS_MAX;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

/*
 * Once more where cleanup is gone: one that died over this leaves it to the
 * next, and nobody has to wait for the next wakeup.
 */
static enum drop_result
take_one(const char *id)
{
	enum drop_result result = drop_take(&settings, id);

	if (result == DROP_NOBODY && !service_retiring())
		result = drop_take(&settings, id);
	return result;
}

static bool
take_some(size_t *count)
{
	struct ids ids = { 0 };
	size_t taken = 0;
	bool reachable = true;

	if (queue_scan("maildrop", note, &ids) < 0)
		log_warning("cannot read maildrop: %m");
	if (ids.count > 0)
		qsort(ids.items, ids.count, sizeof(*ids.items), by_id);
	for (size_t i = 0; i < ids.count && reachable && !service_retiring();
	     i++)
		switch (take_one(ids.items[i])) {
		case DROP_TAKEN:
			taken++;
			break;
		case DROP_LEFT:
			break;
		case DROP_NOBODY:
			reachable = false;
			break;
		}
	*count = ids.count;
	free(ids.items);
	return reachable && taken > 0;
}

/* Until there is nothing more that can be taken now. */
static void
take_all(const struct service *s)
{
	size_t count = 0;

	(void)s;
	while (take_some(&count) && count == IDS_MAX)
		continue;
}

static void
before(const struct service *s)
{
	struct buf error = BUF_INIT(4096);

	(void)s;
	settings.left_out =
	    receive_override_parse(settings.common.receive_override_options,
		&error);
	if (error.n > 0)
		log_warning("%s", buf_text(&error));
	buf_fini(&error);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &settings.common },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "pickup",
		.style = SERVICE_OWN,
		.params = params,
		.before = before,
		.trigger = take_all,
	};

	return service_run(&spec, argc, argv);
}
