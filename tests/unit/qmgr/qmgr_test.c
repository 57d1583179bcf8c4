/* SPDX-License-Identifier: ISC */
/*
 * qmgr as a whole, between a master, a lookup, a bounce and delivery agents
 * that this test plays: the rows of doc/DURABILITY.md, each set up on disk
 * as a crash would have left it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/conf/conf.h"
#include "lib/ipc/proto_bounce.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/ipc/proto_master.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"
#include "lib/service/status_page.h"
#include "lib/task/task.h"

enum { PATIENCE_MS = 60000, ANSWERS_MAX = 256, FLOOD = 60, SILENT = 2 };

static struct {
	char root[64];
	int program; /* open qmgr */
	pid_t pid;
	int control; /* our end, -1 when no qmgr runs */
	int door; /* its listening socket */
	int log;
	/* what the agents were asked, "address" each */
	char served[ANSWERS_MAX][128];
	int served_count;
	int reports; /* made by our bounce */
	int take_count; /* requests that allowed the file to be taken */
	int wrong_modes; /* of files that came open for what they are not */
	const char *command; /* of the agent's service in master.cf */
	const char *settings;
	int looked_up; /* recipients */
	struct ipc *silent[SILENT]; /* agents that were asked, and are still */
	int silent_count;
} world;

/* --- the disk --- */

static void
in_root(void)
{
	assert_int_equal(chdir(world.root), 0);
}

static bool
there(const char *queue, const char *id)
{
	char path[QUEUE_PATH_MAX];

	queue_path(queue, id, path);
	return access(path, F_OK) == 0;
}

static void
count_one(void *with)
{
	(*(int *)with)++;
}

static bool
count_visit(void *with, const char *id)
{
	(void)id;
	count_one(with);
	return true;
}

static int
files_in(const char *queue)
{
	int n = 0;

	queue_scan(queue, count_visit, &n);
	return n;
}

/* A message with these recipients (separated by blanks), statuses in turn. */
static const char *
put_message(const char *queue, const char *sender, const char *to,
    const char *statuses, const char *client, unsigned int notify)
{
	static char ids[16][QUEUE_ID_MAX];
	static int turn;
	char *id = ids[turn++ % 16];
	static const char text[] = "Subject: test\r\n\r\nHello\r\n";
	struct queue_recipient r[8] = { 0 };
	struct queue_envelope e = { .sender = sender,
		.envid = "",
		.client = client,
		.recipients = r,
		.arrival = clock_wall_us() };
	struct queue_writer *w;
	struct why why;
	char *copy = mem_text(to), *save = NULL;
	int fd;

	for (char *a = strtok_r(copy, " ", &save); a != NULL;
	     a = strtok_r(NULL, " ", &save))
		r[e.recipient_count++] = (struct queue_recipient){ .address = a,
			.original = a,
			.orcpt = "",
			.notify = notify,
			.status = QUEUE_RECIPIENT_PENDING };
	queue_id_mint(id);
	assert_int_equal(queue_make_path(queue, id), 0);
	w = queue_writer_new(queue, id, &why);
	assert_non_null(w);
	queue_writer_content_begins(w);
	assert_int_equal(queue_writer_add(w, text, sizeof(text) - 1), 0);
	assert_int_equal(queue_writer_commit(w, &e), 0);
	queue_writer_free(&w);
	fd = queue_open(queue, id, true);
	for (size_t i = 0; i < e.recipient_count && statuses[i] != '\0'; i++)
		assert_int_equal(queue_mark(fd, r[i].offset, statuses[i]), 0);
	fd_close(&fd);
	free(copy);
	return id;
}

static const char *
statuses_of(const char *queue, const char *id)
{
	static char out[16];
	struct arena *a = arena_new();
	struct queue_envelope e;
	int fd = queue_open(queue, id, false);

	memset(out, 0, sizeof(out));
	if (fd != -1 && queue_read_envelope(fd, id, a, &e) == QUEUE_OK)
		for (size_t i = 0; i < e.recipient_count && i < 15; i++)
			out[i] = e.recipients[i].status;
	fd_close(&fd);
	arena_free(&a);
	return out;
}

/* --- the others --- */

static const char *
transport_of(const char *address)
{
	static const char *const others[] = { "missing", "silent", "flood" };

	for (size_t i = 0; i < 3; i++)
		if (strncmp(address, others[i], strlen(others[i])) == 0)
			return others[i];
	return "agent";
}

static void
lookup(void *argument)
{
	struct ipc *c = ipc_new(*(int *)argument, &protocol_lookup, "qmgr");
	const void *message;

	free(argument);
	while (
	    ipc_expect(c, &message_resolve, &message, clock_in(60)) == IPC_OK) {
		const struct msg_resolve *m = message;
		const struct msg_address_item *asked = m->recipients.items;
		size_t n = m->recipients.count;
		struct msg_resolved_item *items = mem_array(n, sizeof(*items));
		struct msg_resolve_reply reply = { { items, n } };

		for (size_t i = 0; i < n; i++) {
			const char *to = asked[i].address;

			items[i] = (struct msg_resolved_item){ .verdict = OK,
				.dsn = "",
				.text = "",
				.address = asked[i].address,
				.transport = transport_of(to),
				.nexthop = "example.test" };
			world.looked_up++;
		}
		assert_int_equal(ipc_send(c, &message_resolve_reply, &reply,
				     clock_in(60)),
		    IPC_OK);
		free(items);
	}
	ipc_free(&c);
}

/* Says what the address asks for: ok, never, later, down, die. */
static bool
serve_one(struct ipc *c, const struct msg_deliver *m, size_t i, bool *down)
{
	const struct msg_deliver_recipient *r = m->recipients.items;
	const char *to = r[i].address;
	struct msg_delivered answer = { .index = i,
		.verdict = OK,
		.action = "delivered",
		.dsn = "2.0.0",
		.text = "done",
		.mta = "",
		.mta_reply = "" };

	snprintf(world.served[world.served_count++ % ANSWERS_MAX], 128, "%s",
	    to);
	if (strncmp(to, "never", 5) == 0) {
		answer.verdict = NEVER;
		answer.action = "failed";
		answer.dsn = "5.1.1";
	} else if (strncmp(to, "later", 5) == 0 ||
	    strncmp(to, "down", 4) == 0) {
		answer.verdict = LATER;
		answer.action = "delayed";
		answer.dsn = "4.4.1";
		answer.text = "connection refused";
		*down |= to[0] == 'd';
	} else if (strncmp(to, "die", 3) == 0 && world.served_count == 1) {
		return false;
	}
	return ipc_send(c, &message_delivered, &answer, clock_in(60)) == IPC_OK;
}

static void
agent(void *argument)
{
	struct ipc *c = ipc_new(*(int *)argument, &protocol_deliver, "qmgr");
	const void *message;
	bool fine = true;

	free(argument);
	while (fine &&
	    ipc_expect(c, &message_deliver, &message, clock_in(60)) == IPC_OK) {
		const struct msg_deliver *m = message;
		struct msg_deliver_done done = { .dsn = "", .text = "" };
		int fd = m->content;

		world.take_count += m->take;
		world.wrong_modes += (fcntl(fd, F_GETFL) & O_ACCMODE) !=
		    (m->take ? O_RDWR : O_RDONLY);
		for (size_t i = 0; fine && i < m->recipients.count; i++)
			fine = serve_one(c, m, i, &done.site_down);
		if (done.site_down)
			done.text = "connection refused";
		fd_close(&fd);
		fine = fine &&
		    ipc_send(c, &message_deliver_done, &done, clock_in(60)) ==
			IPC_OK;
	}
	ipc_free(&c);
}

static bool
is_asked(struct ipc *c)
{
	const struct msg_deliver *m;
	const void *message;
	int fd;

	if (ipc_expect(c, &message_deliver, &message, clock_in(60)) != IPC_OK)
		return false;
	m = message;
	fd = m->content;
	fd_close(&fd);
	return true;
}

/* Says nothing until somebody else lets go of it. */
static void
silent(void *argument)
{
	struct ipc *c = ipc_new(*(int *)argument, &protocol_deliver, "qmgr");

	free(argument);
	if (is_asked(c) && world.silent_count < SILENT)
		world.silent[world.silent_count++] = c;
	else
		ipc_free(&c);
}

/*
 * Says at once, and before it is asked, all that is to be said of FLOOD
 * messages. In front of that and behind it other agents end: whichever the
 * stopped qmgr hears first, there is one of them behind the flood.
 */
static void
flood(void *argument)
{
	const struct msg_delivered good = { .action = "delivered",
		.verdict = OK,
		.dsn = "2.0.0",
		.text = "done",
		.mta = "",
		.mta_reply = "" };
	const struct msg_deliver_done done = { .dsn = "", .text = "" };
	struct ipc *c = ipc_new(*(int *)argument, &protocol_deliver, "qmgr");

	free(argument);
	assert_true(is_asked(c));
	while (world.looked_up < FLOOD + SILENT || world.silent_count < SILENT)
		if (wait_until(clock_ms() + 5) == WAIT_CANCELLED)
			break;
	kill(world.pid, SIGSTOP);
	waitpid(world.pid, NULL, WUNTRACED);
	ipc_free(&world.silent[0]);
	for (int i = 0; i < FLOOD; i++)
		if (ipc_send(c, &message_delivered, &good, clock_in(60)) !=
			IPC_OK ||
		    ipc_send(c, &message_deliver_done, &done, clock_in(60)) !=
			IPC_OK)
			break;
	ipc_free(&world.silent[1]);
	kill(world.pid, SIGCONT);
	while (is_asked(c))
		;
	ipc_free(&c);
}

static void
bounce(void *argument)
{
	static const char *const kinds[] = { "failure", "delay", "success",
		"verify" };
	struct ipc *c = ipc_new(*(int *)argument, &protocol_bounce, "qmgr");
	const void *message;

	free(argument);
	while (
	    ipc_expect(c, &message_report, &message, clock_in(60)) == IPC_OK) {
		const struct msg_report *m = message;
		struct msg_reported answer = { .verdict = OK, .text = "" };
		char client[128];
		int fd = m->content;

		snprintf(client, sizeof(client), "%s:%s", kinds[m->kind],
		    m->queue_id);
		answer.report_id = put_message("report", "",
		    "ok-report@example.test", "", client, 0);
		world.reports++;
		fd_close(&fd);
		if (ipc_send(c, &message_reported, &answer, clock_in(60)) !=
		    IPC_OK)
			break;
	}
	ipc_free(&c);
}

static void
connect_to(struct ipc *child, const struct msg_connect *asked)
{
	static const struct {
		const char *name;
		task_function *function;
	} services[] = { { "lookup", lookup }, { "agent", agent },
		{ "bounce", bounce }, { "silent", silent },
		{ "flood", flood } };
	struct msg_not_connected no = { .text = "no such service",
		.number = asked->number };
	int pair[2];

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		struct msg_connected yes = { .number = asked->number };
		int *ours;

		if (strcmp(services[i].name, asked->service) != 0)
			continue;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
				     0, pair),
		    0);
		ours = mem_new(sizeof(*ours));
		*ours = pair[0];
		yes.socket = pair[1];
		task_start(services[i].function, ours);
		ipc_send(child, &message_connected, &yes, clock_in(60));
		close(pair[1]);
		return;
	}
	ipc_send(child, &message_not_connected, &no, clock_in(60));
}

static void
master(void *argument)
{
	struct ipc *c = ipc_new(dup(world.control), &protocol_master, "qmgr");
	const struct ipc_message *m;
	const void *message;

	(void)argument;
	while (ipc_receive(c, &m, &message, clock_in(60)) == IPC_OK)
		if (m == &message_connect)
			connect_to(c, message);
	ipc_free(&c);
}

/* --- the play --- */

static int
write_settings(void)
{
	struct buf errors = BUF_INIT(65536);
	FILE *f = fopen("etc/main.cf", "w");
	struct conf *c;
	int fd;

	assert_non_null(f);
	fprintf(f, "queue_directory = %s\nmyhostname = mx.test\n%s", world.root,
	    world.settings);
	fclose(f);
	f = fopen("etc/master.cf", "w");
	fprintf(f, "agent unix - - n - 10 %s\n", world.command);
	fprintf(f, "silent unix - - n - %d smtp\n", SILENT);
	fprintf(f, "flood unix - - n - 1 smtp\n");
	fclose(f);
	c = conf_read("etc", &errors, NULL);
	assert_non_null(c);
	assert_string_equal(buf_text(&errors), "");
	fd = conf_snapshot(c, "*", NULL);
	conf_free(&c);
	buf_fini(&errors);
	return fd;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	return fd;
}

static void
become_qmgr(const int *fds)
{
	char *argv[] = { (char[]){ "qmgr" }, (char[]){ "-n" },
		(char[]){ "qmgr" }, (char[]){ "-t" }, (char[]){ "unix" },
		(char[]){ "-g" }, (char[]){ "1" }, (char[]){ "-l" },
		(char[]){ "1" }, (char[]){ "-m" }, (char[]){ "1" },
		(char[]){ "-s" }, (char[]){ "0" }, NULL };
	char *none[] = { NULL };
	int high[6];

	for (int i = 0; i < 6; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < 5; i++)
		dup2(high[i], 3 + i);
	fexecve(high[5], argv, none);
	_exit(99);
}

static void
start(void)
{
	int pair[2];
	int fds[6];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			     pair),
	    0);
	world.control = pair[0];
	fds[0] = pair[1];
	fds[1] = world.log;
	fds[2] = write_settings();
	fds[3] = memfd_create("status", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fds[3], sizeof(struct status_page)), 0);
	world.door = fds[4] = listen_at("public/qmgr");
	fds[5] = world.program;
	world.pid = fork();
	assert_true(world.pid >= 0);
	if (world.pid == 0)
		become_qmgr(fds);
	for (int i = 0; i < 5; i++)
		if (i != 1)
			close(fds[i]);
}

static void
crash(void)
{
	int status;

	kill(world.pid, SIGKILL);
	waitpid(world.pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("qmgr ended by itself: status %x", status);
	fd_close(&world.control);
}

struct awaited {
	bool (*seen)(const void *with);
	const void *with;
	bool came;
};

static void
await(void *argument)
{
	struct awaited *a = argument;
	int64_t end = clock_ms() + PATIENCE_MS;

	while (!(a->came = a->seen(a->with)) && clock_ms() < end)
		if (wait_until(clock_ms() + 5) == WAIT_CANCELLED)
			break;
	task_loop_stop();
}

static void
show_log(void)
{
	char line[4096];
	ssize_t n;

	lseek(world.log, 0, SEEK_SET);
	while ((n = read(world.log, line, sizeof(line))) > 0)
		fprintf(stderr, "%.*s", (int)n, line);
}

/* Runs a fresh qmgr until this is so, then kills it. */
static void
run_until(bool (*seen)(const void *with), const void *with)
{
	struct awaited a = { seen, with, false };

	start();
	task_start(master, NULL);
	task_start(await, &a);
	task_loop();
	crash();
	if (!a.came) {
		show_log();
		fail_msg("what was awaited did not come");
	}
}

static bool
queue_empty(const void *with)
{
	(void)with;
	return files_in("incoming") == 0 && files_in("deferred") == 0 &&
	    files_in("report") == 0;
}

static bool
is_deferred(const void *id)
{
	struct stat st;
	char path[QUEUE_PATH_MAX];

	queue_path("deferred", id, path);
	return lstat(path, &st) == 0;
}

static int
times_served(const char *address)
{
	int n = 0;

	for (int i = 0; i < world.served_count; i++)
		n += strcmp(world.served[i], address) == 0;
	return n;
}

static bool
was_served(const void *address)
{
	return times_served(address) > 0;
}

static const char sender[] = "alice@example.test";

static void
start_finds_all_and_removes_what_is_delivered(void **state)
{
	(void)state;
	put_message("incoming", sender, "ok1@x", "", "", 0);
	put_message("deferred", sender, "ok2@x ok3@x", "PD", "", 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok1@x"), 1);
	assert_int_equal(times_served("ok2@x"), 1);
	assert_int_equal(times_served("ok3@x"), 0);
	assert_int_equal(world.take_count, 2);
	assert_int_equal(world.wrong_modes, 0);
}

static void
only_virtual_gets_files_to_write(void **state)
{
	(void)state;
	world.command = "smtp";
	put_message("incoming", sender, "ok1@x", "", "", 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok1@x"), 1);
	assert_int_equal(world.take_count, 0);
	assert_int_equal(world.wrong_modes, 0);
}

static void
last_mark_made_file_not_unlinked(void **state)
{
	(void)state;
	put_message("incoming", sender, "ok1@x ok2@x", "DB", "", 0);
	run_until(queue_empty, NULL);
	assert_int_equal(world.served_count, 0);
}

static void
failure_is_reported_once_and_the_report_goes_out(void **state)
{
	(void)state;
	put_message("incoming", sender, "never1@x ok1@x never2@x", "", "", 0);
	run_until(queue_empty, NULL);
	assert_int_equal(world.reports, 1);
	assert_int_equal(times_served("ok-report@example.test"), 1);
}

static void
crash_after_the_report_was_written(void **state)
{
	char client[128];
	const char *id = put_message("incoming", sender, "never1@x", "", "", 0);

	(void)state;
	snprintf(client, sizeof(client), "failure:%s", id);
	put_message("report", "", "ok-old@x", "", client, 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok-old@x"), 0);
	assert_int_equal(world.reports, 1);
	assert_int_equal(times_served("ok-report@example.test"), 1);
}

static void
crash_while_recipients_were_marked(void **state)
{
	char client[128];
	const char *id =
	    put_message("incoming", sender, "never1@x never2@x", "RP", "", 0);

	(void)state;
	snprintf(client, sizeof(client), "failure:%s", id);
	put_message("report", "", "ok-old@x", "", client, 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok-old@x"), 0);
	assert_int_equal(times_served("never1@x"), 1);
	assert_int_equal(times_served("never2@x"), 1);
	assert_int_equal(world.reports, 1);
}

static void
crash_after_the_report_was_activated(void **state)
{
	char client[128];
	const char *id =
	    put_message("deferred", sender, "never1@x later1@x", "RP", "", 0);

	(void)state;
	snprintf(client, sizeof(client), "failure:%s", id);
	put_message("incoming", "", "ok-old@x", "", client, 0);
	run_until(was_served, "later1@x");
	assert_int_equal(times_served("never1@x"), 0);
	assert_int_equal(world.reports, 0);
	assert_string_equal(statuses_of("deferred", id), "BP");
}

static void
set_flags(const char *queue, const char *id, unsigned int flags)
{
	struct arena *a = arena_new();
	struct queue_envelope e;
	int fd = queue_open(queue, id, true);

	assert_int_equal(queue_read_envelope(fd, id, a, &e), QUEUE_OK);
	assert_int_equal(queue_mark_flags(fd, &e, flags), 0);
	fd_close(&fd);
	arena_free(&a);
}

static unsigned int
flags_of(const char *queue, const char *id)
{
	struct arena *a = arena_new();
	struct queue_envelope e = { 0 };
	int fd = queue_open(queue, id, false);

	assert_int_equal(queue_read_envelope(fd, id, a, &e), QUEUE_OK);
	fd_close(&fd);
	arena_free(&a);
	return e.flags;
}

static bool
is_loose(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool loose = file_system_is_loose(fd);

	fd_close(&fd);
	return loose;
}

/* The file that has this name in a queue gets a second one. */
static void
second_name(const char *queue, const char *id, const char *other)
{
	char path[QUEUE_PATH_MAX];

	queue_path(queue, id, path);
	assert_int_equal(link(path, other), 0);
}

/* A power cut has left its old name, on ext4 without a journal. */
static void
activated_report_under_both_names(void **state)
{
	char client[128], old[64];
	const char *id =
	    put_message("deferred", sender, "never1@x later1@x", "RP", "", 0);
	const char *report;

	(void)state;
	if (!is_loose())
		skip(); /* files get no second name */
	snprintf(client, sizeof(client), "failure:%s", id);
	report = put_message("incoming", "", "ok-old@x", "", client, 0);
	snprintf(old, sizeof(old), "report/%s", report);
	second_name("incoming", report, old);
	run_until(was_served, "later1@x");
	assert_int_equal(times_served("never1@x"), 0);
	assert_int_equal(world.reports, 0);
	assert_int_equal(access(old, F_OK), -1);
	assert_string_equal(statuses_of("deferred", id), "BP");
}

/* The same of a message that was moved into a mailbox. */
static void
message_that_is_in_a_mailbox(void **state)
{
	const char *id = put_message("incoming", sender, "ok@x", "", "", 0);

	(void)state;
	if (!is_loose())
		skip(); /* files get no second name */
	second_name("incoming", id, "mailbox");
	assert_int_equal(chmod("mailbox", 0), 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok@x"), 0);
	assert_int_equal(unlink("mailbox"), 0);
}

static void
crash_while_a_delay_warning_was_made(void **state)
{
	char client[128];
	const char *id = put_message("incoming", sender, "later1@x", "", "", 0);

	(void)state;
	set_flags("incoming", id, QUEUE_WARNING);
	snprintf(client, sizeof(client), "delay:%s", id);
	put_message("report", "", "ok-old@x", "", client, 0);
	world.settings = "delay_warning_time = 1h\n";
	run_until(is_deferred, id);
	assert_int_equal(times_served("ok-old@x"), 0);
	assert_int_equal(files_in("report"), 0);
	assert_int_equal(flags_of("deferred", id), 0);
}

static void
crash_after_a_delay_warning_was_activated(void **state)
{
	const char *id = put_message("incoming", sender, "later1@x", "", "", 0);

	(void)state;
	set_flags("incoming", id, QUEUE_WARNING);
	run_until(is_deferred, id);
	assert_int_equal(flags_of("deferred", id), QUEUE_WARNED);
}

static void
crash_before_a_report_of_success(void **state)
{
	(void)state;
	put_message("incoming", sender, "ok1@x ok2@x", "SD", "",
	    NOTIFY_SUCCESS);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok1@x"), 0);
	assert_int_equal(world.reports, 1);
}

static void
crash_while_a_report_of_success_was_made(void **state)
{
	char client[128];
	const char *id = put_message("incoming", sender, "ok1@x ok2@x", "TS",
	    "", NOTIFY_SUCCESS);

	(void)state;
	snprintf(client, sizeof(client), "success:%s", id);
	put_message("report", "", "ok-old@x", "", client, 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok-old@x"), 0);
	assert_int_equal(world.reports, 1);
	assert_int_equal(times_served("ok-report@example.test"), 1);
}

static void
crash_after_a_report_of_success_was_activated(void **state)
{
	(void)state;
	put_message("incoming", sender, "ok1@x ok2@x", "TT", "",
	    NOTIFY_SUCCESS);
	run_until(queue_empty, NULL);
	assert_int_equal(world.reports, 0);
	assert_int_equal(world.served_count, 0);
}

/* Its message was reported on by another one: bounce outlived its qmgr. */
static void
late_report_on_a_message_that_is_gone(void **state)
{
	char client[128], gone[QUEUE_ID_MAX];

	(void)state;
	queue_id_mint(gone);
	snprintf(client, sizeof(client), "failure:%s", gone);
	put_message("report", "", "ok-late@x", "", client, 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("ok-late@x"), 0);
}

static void
deferral_keeps_time_and_reason(void **state)
{
	const char *id =
	    put_message("incoming", sender, "ok1@x later1@x", "", "", 0);
	struct arena *a = arena_new();
	struct queue_reason *reasons;
	char path[QUEUE_PATH_MAX];
	struct stat st;
	int64_t ahead;

	(void)state;
	world.settings = "minimal_backoff_time = 800s\n";
	run_until(is_deferred, id);
	assert_string_equal(statuses_of("deferred", id), "DP");
	queue_path("deferred", id, path);
	assert_int_equal(lstat(path, &st), 0);
	ahead = st.st_mtime - clock_wall_us() / 1000000;
	assert_in_range(ahead, 790, 901);
	assert_int_equal(queue_reason_read(id, a, &reasons), 1);
	assert_string_equal(reasons[0].text, "connection refused");
	arena_free(&a);
}

/* Its attempt could be noted, and the file not be moved to deferred. */
static void
reason_goes_with_its_message(void **state)
{
	const char *id = put_message("incoming", sender, "ok1@x", "", "", 0);
	struct queue_reason reason = { 0, "4.3.1", "", "disk full" };
	char path[QUEUE_PATH_MAX];
	struct stat st;

	(void)state;
	assert_int_equal(queue_reason_write(id, &reason, 1), 0);
	queue_path("defer", id, path);
	assert_int_equal(lstat(path, &st), 0);
	run_until(queue_empty, NULL);
	assert_int_equal(lstat(path, &st), -1);
}

static void
no_attempt_before_the_time(void **state)
{
	const char *id = put_message("deferred", sender, "ok1@x", "", "", 0);
	int fd = queue_open("deferred", id, false);

	(void)state;
	queue_set_retry(fd, clock_wall_us() / 1000000 + 500);
	fd_close(&fd);
	put_message("deferred", sender, "ok2@x", "", "", 0);
	run_until(was_served, "ok2@x");
	assert_int_equal(times_served("ok1@x"), 0);
	fd = queue_open("deferred", id, false);
	queue_set_retry(fd, clock_wall_us() / 1000000 - 1);
	fd_close(&fd);
	run_until(was_served, "ok1@x");
}

static void
missing_service_defers(void **state)
{
	const char *id =
	    put_message("incoming", sender, "missing@x", "", "", 0);
	struct arena *a = arena_new();
	struct queue_reason *reasons;

	(void)state;
	run_until(is_deferred, id);
	assert_int_equal(queue_reason_read(id, a, &reasons), 1);
	assert_string_equal(reasons[0].text, "mail transport unavailable");
	arena_free(&a);
}

static void
dead_agent_costs_a_second_try(void **state)
{
	(void)state;
	put_message("incoming", sender, "die1@x", "", "", 0);
	run_until(queue_empty, NULL);
	assert_int_equal(times_served("die1@x"), 2);
}

/* Lines of the log with this in them; "behind": so many of those before. */
static int
lines_with(const char *text, const char *other, int behind)
{
	static char log[1 << 20];
	ssize_t n = pread(world.log, log, sizeof(log) - 1, 0);
	struct span rest, line;
	int count = 0;

	rest = (struct span){ log, n < 0 ? 0 : (size_t)n };
	while (span_cut(&rest, "\n", false, &line)) {
		char *one = mem_span_text(line);

		behind -= behind > 0 && strstr(one, other) != NULL;
		count += behind == 0 && strstr(one, text) != NULL;
		free(one);
	}
	return count;
}

static const char lost[] = "lost connection with delivery service silent";

static bool
flood_is_over(const void *with)
{
	(void)with;
	return lines_with(": removed", "", 0) >= FLOOD &&
	    lines_with(lost, "", 0) >= SILENT;
}

static void
others_have_their_turn_amid_a_flood_of_answers(void **state)
{
	char to[32];

	(void)state;
	for (int i = 0; i < SILENT; i++) {
		snprintf(to, sizeof(to), "silent%d@x", i);
		put_message("incoming", sender, to, "", "", 0);
	}
	for (int i = 0; i < FLOOD; i++) {
		snprintf(to, sizeof(to), "flood%d@x", i);
		put_message("incoming", sender, to, "", "", 0);
	}
	run_until(flood_is_over, NULL);
	/* most of it is still to be heard when all of the others were */
	assert_in_range(lines_with(": removed", lost, SILENT), FLOOD / 4,
	    FLOOD);
}

static bool
corrupt_is_aside(const void *id)
{
	return there("corrupt", id);
}

static void
damaged_file_is_set_aside(void **state)
{
	const char *id = put_message("incoming", sender, "ok1@x", "", "", 0);
	int fd = queue_open("incoming", id, true);
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fd_pwrite_all(fd, "?", 1,
			     st.st_size - QUEUE_FOOTER_SIZE - 8),
	    0);
	fd_close(&fd);
	run_until(corrupt_is_aside, id);
	assert_int_equal(world.served_count, 0);
}

static void
file_an_agent_still_holds_is_left_alone(void **state)
{
	const char *id = put_message("incoming", sender, "ok1@x", "", "", 0);
	const char *other =
	    put_message("incoming", sender, "later1@x", "", "", 0);
	int fd = queue_open("incoming", id, false);

	(void)state;
	assert_int_equal(flock(fd, LOCK_SH), 0);
	run_until(is_deferred, other);
	assert_int_equal(times_served("ok1@x"), 0);
	assert_true(there("incoming", id));
	fd_close(&fd);
	run_until(was_served, "ok1@x");
}

/* An agent that was taken over never closes what it was handed. */
static void
lock_that_is_never_given_up_is_passed_over(void **state)
{
	const char *id = put_message("incoming", sender, "ok1@x", "", "", 0);
	int fd = queue_open("incoming", id, false);

	(void)state;
	world.settings = "ipc_timeout = 1s\n";
	assert_int_equal(flock(fd, LOCK_SH), 0);
	run_until(was_served, "ok1@x");
	fd_close(&fd);
}

static void
remove_tree(const char *path)
{
	char *command = mem_printf("rm -rf %s", path);

	assert_int_equal(system(command), 0);
	free(command);
}

static int
set_up(void **state)
{
	static const char *const folders[] = { "etc", "incoming", "deferred",
		"hold", "corrupt", "report", "defer", "maildrop", "pid",
		"public", "private" };

	(void)state;
	snprintf(world.root, sizeof(world.root), "/tmp/qmgr_test.XXXXXX");
	if (mkdtemp(world.root) == NULL || chdir(world.root) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdir(folders[i], 0700) != 0)
			return -1;
	world.log = open("log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	world.served_count = world.reports = world.take_count = 0;
	world.wrong_modes = world.looked_up = world.silent_count = 0;
	world.settings = "";
	world.command = "virtual";
	world.control = -1;
	in_root();
	return world.log == -1;
}

static int
tear_down(void **state)
{
	(void)state;
	fd_close(&world.log);
	if (chdir("/") != 0)
		return -1;
	remove_tree(world.root);
	return 0;
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(start_finds_all_and_removes_what_is_delivered),
		ROW(only_virtual_gets_files_to_write),
		ROW(last_mark_made_file_not_unlinked),
		ROW(failure_is_reported_once_and_the_report_goes_out),
		ROW(crash_after_the_report_was_written),
		ROW(crash_while_recipients_were_marked),
		ROW(crash_after_the_report_was_activated),
		ROW(activated_report_under_both_names),
		ROW(message_that_is_in_a_mailbox),
		ROW(crash_while_a_delay_warning_was_made),
		ROW(crash_after_a_delay_warning_was_activated),
		ROW(crash_before_a_report_of_success),
		ROW(crash_while_a_report_of_success_was_made),
		ROW(crash_after_a_report_of_success_was_activated),
		ROW(late_report_on_a_message_that_is_gone),
		ROW(deferral_keeps_time_and_reason),
		ROW(reason_goes_with_its_message),
		ROW(no_attempt_before_the_time),
		ROW(missing_service_defers),
		ROW(dead_agent_costs_a_second_try),
		ROW(others_have_their_turn_amid_a_flood_of_answers),
		ROW(damaged_file_is_set_aside),
		ROW(file_an_agent_still_holds_is_left_alone),
		ROW(lock_that_is_never_given_up_is_passed_over),
	};

	world.program = open("qmgr/qmgr", O_RDONLY | O_CLOEXEC);
	if (world.program == -1) {
		fprintf(stderr, "qmgr/qmgr is not built\n");
		return 77;
	}
	/* so that nothing of this needs the suite's users */
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
