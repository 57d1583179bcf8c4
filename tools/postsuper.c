/* SPDX-License-Identifier: ISC */
/*
 * postsuper - what only the administrator may do with the queue.
 *
 * SECURITY: for root (or the queue's owner, or whoever runs an instance of
 * his own). Becomes the queue's owner before it touches the queue; names of
 * messages are checked before they become names of files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/net/connect.h"
#include "lib/queue/queue_file.h"
#include "tools/queue_tool.h"

enum { REQUEUE_SECONDS = 60, CLAIM_SECONDS = 5 };

/* 1 done, 0 not there or not for this action, -1 failed (said so) */
typedef int action_function(const char *queue, const char *id);

struct action {
	char option;
	action_function *act;
	const char *queues; /* where ALL looks, and where it applies */
	const char *done; /* "Deleted" */
	bool asked;
	size_t count;
};

static int status = EX_OK; /* this program's */

/* The disk's failure is the worse one. */
static void
ends_with(int sysexit)
{
	if (status != EX_IOERR &&
	    (status != EX_TEMPFAIL || sysexit == EX_IOERR))
		status = sysexit;
}

static int
failed(const char *what, const char *queue, const char *id)
{
	log_warning("%s %s/%s: %s", what, queue, id, strerror(errno));
	ends_with(EX_IOERR);
	return -1;
}

static int
left(const char *id, int sysexit, const char *why)
{
	log_warning("%s: %s", id, why);
	ends_with(sysexit);
	return -1;
}

static int
not_now(const char *id, const char *why)
{
	return left(id, EX_TEMPFAIL, why);
}

/* Whether there are none, nobody knows. */
static void
scan_failed(const char *queue)
{
	log_warning("scan %s: %s", queue, strerror(errno));
	ends_with(EX_IOERR);
}

static bool removed; /* something, and not flushed yet */

static int
delete_message(const char *queue, const char *id)
{
	if (queue_remove(queue, id) < 0)
		return errno == ENOENT ? 0 : failed("remove", queue, id);
	removed = true;
	queue_remove("defer", id);
	log_info("%s: removed", id);
	return 1;
}

static int
move(const char *queue, const char *id, const char *to)
{
	if (queue_move(id, queue, to) < 0)
		return errno == ENOENT ? 0 : failed("move", queue, id);
	return 1;
}

/*
 * What is just being delivered stays as it is until that is over: moved or
 * made anew in the middle, it would be delivered twice. All messages of a
 * run share the time there is to wait.
 */
static int
claim(const char *queue, const char *id)
{
	static int64_t deadline;
	int fd;

	if (deadline == 0)
		deadline = clock_in(CLAIM_SECONDS);
	fd = queue_claim(queue, id, deadline);
	if (fd == -1 && errno == EWOULDBLOCK)
		not_now(id,
		    "is being delivered just now: left as it is; try again");
	else if (fd == -1 && errno != ENOENT)
		failed("open", queue, id);
	return fd;
}

/* What was never committed is no message, and would be one once released. */
static int
hold_message(const char *queue, const char *id)
{
	int fd = claim(queue, id);
	int done = 0;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (!queue_is_unfinished(fd))
		done = move(queue, id, "hold");
	if (done == 1)
		log_info("%s: placed on hold", id);
	close(fd);
	return done;
}

/* Back to deferred, to be tried now. */
static int
release_message(const char *queue, const char *id)
{
	int fd = queue_open(queue, id, true);
	int done;

	if (fd < 0)
		return errno == ENOENT ? 0 : failed("open", queue, id);
	if (queue_set_retry(fd, time(NULL)) < 0)
		failed("set time of", queue, id);
	close(fd);
	done = move(queue, id, "deferred");
	if (done == 1)
		log_info("%s: released from hold", id);
	return done;
}

/* *sysexit becomes EX_IOERR if the file could not be read. */
static enum ipc_result
send_content(struct ipc *c, int fd, const struct queue_envelope *e,
    int64_t deadline, int *sysexit)
{
	char *chunk = mem_new(IPC_CHUNK_MAX);
	enum ipc_result r = IPC_OK;
	off_t at = e->content_offset, end = at + e->content_size;

	while (at < end && r == IPC_OK) {
		size_t n = end - at < IPC_CHUNK_MAX ? (size_t)(end - at) :
						      IPC_CHUNK_MAX;

		if (fd_pread_all(fd, chunk, n, at) < 0) {
			*sysexit = EX_IOERR;
			r = IPC_ERROR;
			break;
		}
		ipc_put_chunk(c, chunk, n);
		r = ipc_flush(c, deadline);
		at += (off_t)n;
	}
	free(chunk);
	return r;
}

/*
 * A report that is being made is qmgr's to activate, and it drops one whose
 * original is gone: who waits for one is tried once more.
 */
static bool
waits(const struct queue_recipient *r)
{
	return r->status == QUEUE_RECIPIENT_PENDING ||
	    r->status == QUEUE_RECIPIENT_REPORTING;
}

/* Did the address it stands for mean others too, who have it already? */
static bool
is_the_rest(const struct queue_envelope *e, const struct queue_recipient *r)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		if (!waits(&e->recipients[i]) &&
		    strcmp(e->recipients[i].original, r->original) == 0)
			return true;
	return false;
}

/*
 * local made this message for the addresses it has: what it came in as has been
 * delivered there already, and once more would be a loop.
 */
static bool
was_forwarded(const struct queue_envelope *e)
{
	return strcmp(e->client, "local") == 0;
}

/*
 * Those who still wait, under the names they first had, so that changed
 * aliases count; but not where that would reach somebody a second time. Those
 * are then known by the address they have: they may be requeued once more.
 */
static struct ipc_list
waiting_recipients(struct arena *a, const struct queue_envelope *e)
{
	struct msg_submit_recipient *out =
	    arena_alloc(a, (e->recipient_count + 1) * sizeof(*out));
	struct ipc_list list = { .items = out };

	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct queue_recipient *r = &e->recipients[i];
		bool forwarded = was_forwarded(e);
		bool kept = forwarded || (waits(r) && is_the_rest(e, r));

		if (!waits(r))
			continue;
		out[list.count++] = (struct msg_submit_recipient){
			.address = kept ? r->address : r->original,
			.original = forwarded ? r->original : "",
			.orcpt = r->orcpt,
			.notify = r->notify,
			.transport = "",
			.nexthop = "",
		};
	}
	return list;
}

/* Through cleanup, as if it had just come; else what to end with. */
static enum verdict
submit_again(struct ipc *c, int fd, struct arena *a,
    const struct queue_envelope *e, struct why *why, int *sysexit)
{
	int64_t deadline = clock_in(REQUEUE_SECONDS);
	struct msg_submit submit = {
		.queue_id = "",
		.origin = "pickup",
		.sender = e->sender,
		.full_name = "",
		.envid = e->envid,
		.ret = e->ret,
		.body = e->flags & QUEUE_BODY_8BIT ? 2 : 0,
		.smtputf8 = (e->flags & QUEUE_SMTPUTF8) != 0,
		.trusted = true,
		/* sendmail -bv must not become a delivery */
		.verify = (e->flags & QUEUE_VERIFY) != 0,
		.trace_deliveries = (e->flags & QUEUE_TRACE) != 0,
		.arrival = (uint64_t)e->arrival,
		.client = e->client,
		.trace = "",
		.recipients = waiting_recipients(a, e),
	};
	struct msg_submit_end end = { .size = (uint64_t)e->content_size };
	const struct msg_submit_result *result;
	const void *answer;

	*sysexit = EX_DATAERR;
	if (submit.recipients.count == 0)
		return why_set(why, "5.0.0", "no recipient waits");
	*sysexit = EX_TEMPFAIL;
	ipc_put(c, &message_submit, &submit);
	if (send_content(c, fd, e, deadline, sysexit) != IPC_OK)
		return why_set(why, "4.3.0", "%s",
		    *sysexit == EX_IOERR ? "it cannot be read" :
					   "cleanup does not take it");
	ipc_put_chunk(c, NULL, 0);
	ipc_put(c, &message_submit_end, &end);
	if (ipc_expect(c, &message_submit_result, &answer, deadline) != IPC_OK)
		return why_set(why, "4.3.0", "cleanup does not answer");
	result = answer;
	if (result->verdict == NEVER)
		*sysexit = EX_DATAERR;
	if (result->verdict != OK)
		return why_set(why, "4.3.0", "%s", result->text);
	return why_set(why, "2.0.0", "%s", result->queue_id);
}

/* Made anew first, removed then: a crash between leaves it twice. */
static int
requeue_message(const char *queue, const char *id)
{
	struct arena *a = arena_new();
	struct queue_envelope e;
	struct why why = { 0 };
	struct ipc *c = NULL;
	enum queue_read read;
	int socket, sysexit, fd = claim(queue, id);
	int done = fd == -1 && errno != ENOENT ? -1 : 0;

	if (fd < 0)
		goto out;
	read = queue_read_envelope(fd, id, a, &e);
	if (read == QUEUE_UNREADABLE)
		done = failed("read", queue, id);
	if (read == QUEUE_CORRUPT)
		done = left(id, EX_DATAERR, "not requeued: it is damaged");
	if (read != QUEUE_OK)
		goto out;
	socket = connect_unix("public/cleanup", clock_in(5));
	if (socket < 0)
		socket = connect_unix("private/cleanup", clock_in(5));
	if (socket < 0) {
		done = not_now(id,
		    "cannot requeue: cleanup does not run (posthaste start)");
		goto out;
	}
	c = ipc_new(socket, &protocol_cleanup, "cleanup");
	if (submit_again(c, fd, a, &e, &why, &sysexit) != OK) {
		log_warning("%s: not requeued: %s", id, why.text);
		ends_with(sysexit);
		done = -1;
	} else if ((done = delete_message(queue, id)) == 1) {
		log_info("%s: requeued as %s", id, why.text);
	}
out:
	fd_close(&fd);
	ipc_free(&c);
	arena_free(&a);
	return done;
}

static struct action actions[] = {
	{ 'd', delete_message, "maildrop incoming deferred hold corrupt report",
	    "Deleted", false, 0 },
	{ 'h', hold_message, "incoming deferred", "Placed on hold", false, 0 },
	{ 'H', release_message, "hold", "Released from hold", false, 0 },
	{ 'r', requeue_message, "incoming deferred hold", "Requeued", false,
	    0 },
};

static struct action *
action_of(int option)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (actions[i].option == option)
			return &actions[i];
	return NULL;
}

/* Is it one of those the user named, or did he name none? */
static bool
is_wanted(char **queues, struct span queue)
{
	if (queues[0] == NULL)
		return true;
	for (char **p = queues; *p != NULL; p++)
		if (span_is(queue, *p))
			return true;
	return false;
}

struct all_visit {
	struct action *action;
	const char *queue;
	bool met; /* something was there */
};

static bool
act_on_found(void *with, const char *id)
{
	struct all_visit *v = with;
	int done = v->action->act(v->queue, id);

	if (done == 1)
		v->action->count++;
	v->met |= done != 0;
	return true;
}

/* The message of this name, or all of them, in one queue; if there was any. */
static bool
act_in_queue(struct action *a, const char *queue, const char *name)
{
	struct all_visit v = { a, queue, false };

	if (strcmp(name, "ALL") != 0)
		act_on_found(&v, name);
	else if (queue_scan(queue, act_on_found, &v) < 0 && errno != ENOENT)
		scan_failed(queue);
	return v.met;
}

static void
act_on_name(struct action *a, const char *name, char **queues)
{
	struct span rest = span_of(a->queues), word;
	bool all = strcmp(name, "ALL") == 0, met = false;

	if (!all && !queue_id_valid(name)) {
		log_warning("not a queue id: %s", name);
		return;
	}
	while (span_cut(&rest, " ", true, &word)) {
		char *queue = mem_span_text(word);

		if (is_wanted(queues, word))
			met |= act_in_queue(a, queue, name);
		free(queue);
	}
	if (!met && !all)
		log_warning("%s: no such message in %s", name,
		    queues[0] == NULL ? a->queues : "the queues named");
}

/* The lines of mailq around the messages begin with a minus. */
static void
act_on_input(struct action *a, char **queues)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		char *end = line + strcspn(line, " \t\r\n*!");

		*end = '\0';
		if (line[0] != '\0' && line[0] != '-')
			act_on_name(a, line, queues);
	}
	if (ferror(stdin)) {
		log_warning("cannot read the list: %s", strerror(errno));
		ends_with(EX_IOERR);
	}
	free(line);
}

static bool
remove_incomplete(void *with, const char *id)
{
	if (queue_remove_incomplete(with, id) == -1)
		failed("remove the unfinished", with, id);
	return true;
}

/* -p: what was never committed; -s: folders that are missing. */
static void
purge(void)
{
	char *queues[] = { "incoming", "report" };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		if (queue_scan(queues[i], remove_incomplete, queues[i]) < 0)
			scan_failed(queues[i]);
}

static void
repair(void)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct span rest, line;

	if (!queue_make_directories(".", geteuid(), getegid(), &errors))
		ends_with(EX_IOERR);
	rest = buf_span(&errors);
	while (span_cut(&rest, "\n", true, &line))
		log_warning("%.*s", SPAN_ARG(line));
	buf_fini(&errors);
}

static void
say(const struct action *a)
{
	if (a->asked)
		log_info("%s: %zu message%s", a->done, a->count,
		    a->count == 1 ? "" : "s");
}

static void
usage(void)
{
	fputs("usage: postsuper [-psv] [-c config_dir] [-d ID|ALL|-] "
	      "[-h ID|ALL|-] [-H ID|ALL|-] [-r ID|ALL|-] [queue...]\n",
	    stderr);
	exit(EX_USAGE);
}

/* What the options ask for, in their order, once the queue is entered. */
struct request {
	struct action *action; /* NULL: housekeeping */
	char *name;
};

static void
perform(const struct request *r, size_t count, char **queues)
{
	for (size_t i = 0; i < count; i++) {
		r[i].action->asked = true;
		if (strcmp(r[i].name, "-") == 0)
			act_on_input(r[i].action, queues);
		else
			act_on_name(r[i].action, r[i].name, queues);
	}
}

/*
 * Once for all folders that a run has removed something from; by one that is
 * the queue owner's.
 */
static void
flush_removed(void)
{
	int fd;

	if (!removed)
		return;
	fd = open("incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || file_system_commit_all(fd) != 0) {
		log_warning("what was deleted may come back, if the power goes"
			    " now: flush of the queue: %s",
		    strerror(errno));
		ends_with(EX_IOERR);
	}
	fd_close(&fd);
}

static void
check_queues(char **queues)
{
	for (; *queues != NULL; queues++)
		if (!queue_name_valid(*queues) || strcmp(*queues, "defer") == 0)
			fatal_status(EX_USAGE,
			    "unknown queue: %s "
			    "(maildrop, incoming, deferred, hold, corrupt "
			    "or report)",
			    *queues);
}

/* Who does not own the queue sees nothing of it: that is not "0 messages". */
static void
check_rights(void)
{
	struct stat st;

	if (stat("incoming", &st) == 0 && st.st_uid != geteuid())
		fatal_status(EX_NOPERM,
		    "use of this command is reserved for the superuser");
}

int
main(int argc, char **argv)
{
	struct request *requests = mem_array((size_t)argc, sizeof(*requests));
	struct common_params params;
	const char *config = NULL;
	bool want_repair = argc == 1, want_purge = argc == 1;
	size_t count = 0;
	int option;

	log_open_stderr("postsuper");
	while ((option = getopt(argc, argv, "c:d:h:H:r:psSv")) != -1) {
		struct action *a = action_of(option);

		if (a != NULL)
			requests[count++] = (struct request){ a, optarg };
		else if (option == 'c')
			config = optarg;
		else if (option == 's' || option == 'S')
			want_repair = true;
		else if (option == 'p')
			want_purge = true;
		else if (option != 'v')
			usage();
	}
	if (count == 0 && argc - optind == argc - 1)
		want_repair = want_purge = true;
	check_queues(argv + optind);
	queue_tool_enter("postsuper", config, &params);
	check_rights();
	if (want_repair)
		repair();
	if (want_purge)
		purge();
	perform(requests, count, argv + optind);
	flush_removed();
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		say(&actions[i]);
	if (count > 0)
		queue_tool_notify();
	return status;
}
