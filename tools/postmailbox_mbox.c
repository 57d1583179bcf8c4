/* SPDX-License-Identifier: ISC */
/*
 * An mbox file, as it is: read once, without a lock. Who writes to it at that
 * moment may be seen half way.
 */
#include "tools/postmailbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/store/folder_state.h"
#include "lib/store/mbox_scan.h"

enum { CHUNK = 65536, TOLD_MAX = 5, LINE = 256 };

struct check {
	const struct folder_state *state; /* NULL: there is none */
	postmailbox_problem *problem;
	struct postmailbox_mbox *out;
	const struct mbox_message *all;
	size_t count;
	uint32_t validity, last; /* as the file says; 0: it does not */
	size_t noted; /* have a UID */
};

static bool
read_all(int fd, struct mbox_scan *s, postmailbox_problem *problem)
{
	char *chunk = mem_new(CHUNK);
	bool good = true;
	ssize_t n;

	while (good && (n = read(fd, chunk, CHUNK)) > 0)
		good = mbox_scan_feed(s, chunk, (size_t)n);
	if (good && n < 0)
		problem(strerror(errno));
	else if (!good || !mbox_scan_end(s))
		problem(mbox_scan_error(s));
	free(chunk);
	return good && n == 0;
}

static void
tell(struct check *c, unsigned int *told, const char *what, uint32_t uid)
{
	char line[LINE];

	snprintf(line, sizeof(line), "UID %" PRIu32 " %s", uid, what);
	if ((*told)++ < TOLD_MAX)
		c->problem(line);
}

static int
by_uid(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static void
find_doubles(struct check *c)
{
	uint32_t *uids = mem_array(c->noted + 1, sizeof(*uids));
	unsigned int told = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->all[i].notes.uid != 0)
			uids[n++] = c->all[i].notes.uid;
	qsort(uids, n, sizeof(*uids), by_uid);
	for (size_t i = 1; i < n; i++)
		if ((i < 2 || uids[i] != uids[i - 2]) && uids[i] == uids[i - 1])
			tell(c, &told, "is two messages'", uids[i]);
	free(uids);
}

static void
find_strange(struct check *c)
{
	unsigned int told = 0, beyond = 0;

	for (size_t i = 0; i < c->count; i++) {
		uint32_t uid = c->all[i].notes.uid;

		if (c->last != 0 && uid > c->last)
			tell(c, &told, "is above the last one of X-IMAPbase",
			    uid);
		if (c->state != NULL && uid >= c->state->bound)
			tell(c, &beyond, "is beyond those given", uid);
	}
}

static void
take_message(struct check *c, const struct mbox_message *m)
{
	if (m->notes.uidvalidity != 0 && c->validity == 0) {
		c->validity = m->notes.uidvalidity;
		c->last = m->notes.last_uid;
	}
	if (m->internal)
		return;
	c->out->messages++;
	c->out->bytes += m->size - m->hidden;
	c->noted += m->notes.uid != 0;
}

static void
put_result(const struct check *c)
{
	printf("  %" PRIu64 " messages, %" PRIu64 " bytes\n", c->out->messages,
	    c->out->bytes);
	if (c->validity != 0)
		printf("  UIDVALIDITY %" PRIu32 ", UIDs up to %" PRIu32
		       " given",
		    c->validity, c->last);
	else if (c->state != NULL)
		printf("  UIDVALIDITY %" PRIu32 " of " FOLDER_STATE_NAME,
		    c->state->uidvalidity);
	else
		fputs("  no UIDVALIDITY yet", stdout);
	printf("; UIDs: %zu of X-UID, %" PRIu64 " to be given\n", c->noted,
	    c->out->messages - c->noted);
}

static void
judge(struct check *c)
{
	char line[LINE];

	for (size_t i = 0; i < c->count; i++)
		take_message(c, &c->all[i]);
	find_doubles(c);
	find_strange(c);
	if (c->state != NULL && c->validity != 0 &&
	    c->validity != c->state->uidvalidity) {
		snprintf(line, sizeof(line),
		    "UIDVALIDITY is %" PRIu32 " by %s, %" PRIu32 " by the file",
		    c->state->uidvalidity, FOLDER_STATE_NAME, c->validity);
		c->problem(line);
	}
	put_result(c);
}

void
postmailbox_mbox_check(int fd, const struct folder_state *state,
    postmailbox_problem *problem, struct postmailbox_mbox *out)
{
	struct check c = { .state = state, .problem = problem, .out = out };
	struct arena *names = arena_new();
	struct mbox_scan *s = mbox_scan_new(names);
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		problem("it is not a regular file");
	} else if (read_all(fd, s, problem)) {
		c.all = mbox_scan_messages(s, &c.count);
		judge(&c);
	}
	mbox_scan_free(&s);
	arena_free(&names);
}
