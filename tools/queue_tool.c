/* SPDX-License-Identifier: ISC */
#include "tools/queue_tool.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/log/log.h"
#include "lib/net/connect.h"
#include "lib/queue/queue_file.h"
#include "lib/sandbox/sandbox.h"

enum { NOTIFY_SECONDS = 5 };

static void
become_owner(const char *owner)
{
	struct passwd *user;

	if (geteuid() != 0)
		return;
	user = getpwnam(owner);
	if (user == NULL)
		fatal_status(EX_CONFIG,
		    "mail_owner = %s: there is no such user; "
		    "create-users makes it",
		    owner);
	sandbox_become(user->pw_uid, user->pw_gid);
}

void
queue_tool_enter(const char *program, const char *config,
    struct common_params *params)
{
	struct buf errors = BUF_INIT(1 << 16);
	const char *directory = conf_find_directory(config);
	struct conf *c = conf_read(directory, &errors, NULL);
	char path[4096];

	if (c == NULL || !conf_fill(c, &common_param_group, params, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	queue_hash_depth((unsigned int)params->hash_queue_depth);
	if (chdir(params->queue_directory) < 0)
		fatal_status(EX_NOPERM, "queue_directory = %s: %s",
		    params->queue_directory, strerror(errno));
	snprintf(path, sizeof(path), "%s/%s", params->queue_directory,
	    "public/log");
	log_open_socket(mem_printf("%s/%s", params->syslog_name, program),
	    path);
	become_owner(params->mail_owner);
}

bool
queue_tool_notify(void)
{
	struct msg_scan scan = { .all = true };
	int64_t deadline = clock_in(NOTIFY_SECONDS);
	int fd = connect_unix("public/qmgr", deadline);
	struct ipc *c;
	bool done;

	if (fd < 0)
		return false;
	c = ipc_new(fd, &protocol_qmgr, "qmgr");
	done = ipc_send(c, &message_scan, &scan, deadline) == IPC_OK;
	ipc_free(&c);
	return done;
}

const char *
queue_tool_find(const char *id)
{
	static const char *const queues[] = { "incoming", "deferred", "hold",
		"corrupt", "report" };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		char path[QUEUE_PATH_MAX];

		queue_path(queues[i], id, path);
		if (access(path, F_OK) == 0)
			return queues[i];
	}
	return NULL;
}
