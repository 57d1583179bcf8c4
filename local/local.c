/* SPDX-License-Identifier: ISC */
/*
 * local: delivery on this machine. One program, named in master.cf as local,
 * virtual, pipe, error, retry or discard.
 *
 * SECURITY: runs as root, since it delivers to many users, and becomes the
 * recipient before it opens, makes or runs anything of theirs; not started
 * by root, it delivers everything as the caller. The content of messages is
 * only copied. Recipient addresses come from strangers: tables and filters
 * stand between them and any file name, command or environment. What users
 * have made (.forward, Maildirs, mailbox files) is opened with the user's
 * rights and examined on the open descriptor. What tables give (paths, user
 * and group numbers) is held within the bounds of the settings.
 */
#include "local/agent.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/mail/delivery_log.h"
#include "lib/queue/queue_file.h"
#include "lib/store/maildir_deliver.h"
#include "local/ask_tables.h"

static struct agent agent;

static const struct mode {
	const char *command;
	void (*set_up)(struct agent *a);
	agent_deliver *deliver;
	const char *filter; /* setting of its delivery status filter */
} modes[] = {
	{ "local", local_set_up, local_deliver,
	    "local_delivery_status_filter" },
	{ "virtual", virtual_set_up, virtual_deliver,
	    "virtual_delivery_status_filter" },
	{ "pipe", NULL, pipe_deliver, "pipe_delivery_status_filter" },
	{ "error", NULL, error_deliver, NULL },
	{ "discard", NULL, discard_deliver, NULL },
};

static const struct mode *
mode_of(const struct service *s)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].command, s->command) == 0)
			return &modes[i];
	fatal("%s: this program is not known by that name", s->command);
}

static void
arguments(const struct service *s, int argc, char **argv)
{
	agent.service = s;
	if (strcmp(s->command, "pipe") == 0)
		pipe_arguments(&agent, argc, argv);
	else if (argc > 0)
		fatal("service %s: unexpected argument in master.cf: %s",
		    s->name, argv[0]);
}

static void
open_filter(const char *setting, struct conf *c)
{
	const char *tables = setting == NULL ? NULL : conf_value(c, setting);
	struct buf error = BUF_INIT(4096);

	if (tables == NULL || tables[0] == '\0')
		return;
	agent.filter_setting = setting;
	agent.filter = table_list_open(tables, &error);
	if (agent.filter == NULL)
		fatal("%s: %s", setting, buf_text(&error));
	buf_fini(&error);
}

static void
set_up(const struct service *s)
{
	const struct mode *mode = mode_of(s);

	agent.service = s;
	agent.root = geteuid() == 0;
	agent.original_header =
	    conf_is_yes(s->conf, "enable_original_recipient");
	delivery_log_resolution(
	    (int)agent.common.delay_logging_resolution_limit);
	table_owner_request_special(agent.common.owner_request_special);
	table_utf8(conf_is_yes(s->conf, "smtputf8_enable"));
	queue_hash_depth((unsigned int)agent.common.hash_queue_depth);
	table_ask_elsewhere(ask_tables);
	open_filter(mode->filter, s->conf);
	if (mode->set_up != NULL)
		mode->set_up(&agent);
}

/* Owners differ only where a crash came between two steps of a move. */
static void
undo_half_a_move(const struct msg_deliver *m)
{
	static struct stat queue;
	char path[QUEUE_PATH_MAX];
	struct stat st;

	if (!agent.root || fstat(m->content, &st) != 0)
		return;
	if (queue.st_uid == st.st_uid && queue.st_nlink != 0)
		return;
	if (!queue_name_valid(m->queue) || !queue_id_valid(m->queue_id) ||
	    stat(m->queue, &queue) != 0 || queue.st_uid == st.st_uid)
		return;
	queue_path(m->queue, m->queue_id, path);
	maildir_move_undo(m->queue, path, m->content);
}

static enum ipc_result
take_request(struct ipc *qmgr, const struct msg_deliver *m, struct arena *a)
{
	struct request r = { .agent = &agent,
		.m = m,
		.qmgr = qmgr,
		.arena = a,
		.sender = m->sender,
		.started = clock_wall_us(),
		.verify = (m->flags & QUEUE_VERIFY) != 0 };
	struct msg_deliver_done done = { .dsn = "", .text = "" };
	int content = m->content;

	undo_half_a_move(m);
	mode_of(agent.service)->deliver(&r);
	fd_close(&content);
	done.taken = r.taken;
	return ipc_send(qmgr, &message_deliver_done, &done,
	    clock_in(agent.common.ipc_timeout));
}

static void
serve(const struct service *s, int fd)
{
	struct ipc *qmgr = ipc_new(fd, &protocol_deliver, "qmgr");
	struct arena *a = arena_new();
	const void *message;

	(void)s;
	while (service_next(qmgr, clock_in(agent.common.max_idle)) &&
	    ipc_expect(qmgr, &message_deliver, &message,
		clock_in(agent.common.ipc_timeout)) == IPC_OK &&
	    take_request(qmgr, message, a) == IPC_OK && !table_restart_wanted())
		arena_reset(a);
	arena_free(&a);
	ipc_free(&qmgr);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &agent.common },
		{ &local_param_group, &agent.own },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "local",
		.style = SERVICE_ONE,
		.params = params,
		.protocol = &protocol_deliver,
		.arguments = arguments,
		.before = set_up,
		.session = serve,
	};

	return service_run(&spec, argc, argv);
}
