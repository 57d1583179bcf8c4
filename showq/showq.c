/* SPDX-License-Identifier: ISC */
/*
 * showq - lists the queue for users.
 *
 * SECURITY: runs as the queue's user, confined to the queue directory, may
 * open files there for reading only. Hears local users through postqueue
 * (set-gid): one short question. Queue files are read with distrust.
 */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_showq.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_list.h"
#include "lib/service/service.h"

enum { QUESTION_SECONDS = 10, ANSWER_SECONDS = 60 };

static struct common_params common;

struct listing {
	struct ipc *client;
	uint64_t count;
	bool broken;
};

static bool
send_entry(void *with, const struct queue_entry *e)
{
	struct listing *l = with;
	struct msg_listed_recipient *recipients =
	    mem_array(e->count, sizeof(*recipients));
	struct msg_listed m = {
		.queue = e->queue,
		.queue_id = e->id,
		.arrival = (uint64_t)e->arrival,
		.retry = (uint64_t)e->retry,
		.size = (uint64_t)e->size,
		.sender = e->sender,
		.recipients = { recipients, e->count },
	};

	for (size_t i = 0; i < e->count; i++) {
		recipients[i].address = e->recipients[i].address;
		recipients[i].reason = e->recipients[i].reason;
	}
	l->count++;
	l->broken = ipc_send(l->client, &message_listed, &m,
			clock_in(ANSWER_SECONDS)) != IPC_OK;
	free(recipients);
	return !l->broken;
}

static void
session(const struct service *s, int fd)
{
	struct listing l = { ipc_new(fd, &protocol_showq, "postqueue"), 0,
		false };
	const struct msg_list_queue *question;
	const void *message;
	struct msg_list_end end;

	(void)s;
	if (ipc_expect(l.client, &message_list_queue, &message,
		clock_in(QUESTION_SECONDS)) == IPC_OK) {
		question = message;
		queue_list(question->queue_id[0] ? question->queue_id : NULL,
		    send_entry, &l);
		end.count = l.count;
		if (!l.broken)
			ipc_send(l.client, &message_list_end, &end,
			    clock_in(ANSWER_SECONDS));
	}
	ipc_free(&l.client);
}

static void
before(const struct service *s)
{
	(void)s;
	queue_hash_depth((unsigned int)common.hash_queue_depth);
}

static const struct service_params params[] = {
	{ &common_param_group, &common },
	{ NULL, NULL },
};

static const struct service_spec spec = {
	.program = "showq",
	.style = SERVICE_ONE,
	.params = params,
	.before = before,
	.session = session,
};

int
main(int argc, char **argv)
{
	return service_run(&spec, argc, argv);
}
