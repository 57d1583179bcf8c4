/* SPDX-License-Identifier: ISC */
/*
 * cleanup: the only writer of new queue files.
 *
 * SECURITY: runs as the owner of the queue, in the queue directory as root
 * directory, and may only touch files there. Content, addresses and names in
 * it come from strangers, through smtpd, pickup, bounce and local, which are
 * believed in what they say about the submitter, in nothing else. Content is
 * never interpreted beyond its header fields.
 */
#include "cleanup/settings.h"
#include "cleanup/submission.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "lib/service/service.h"

static struct settings settings;

static void
set_up(const struct service *s)
{
	settings_derive(&settings, s->conf);
	queue_hash_depth((unsigned int)settings.common.hash_queue_depth);
}

/* The chunks of one message, to the empty one that ends them. */
static enum ipc_result
receive_content(struct ipc *c, struct submission *s, int64_t patience)
{
	struct span chunk = { "", 1 };
	enum ipc_result r = IPC_OK;

	while (r == IPC_OK && chunk.n > 0) {
		r = ipc_receive_chunk(c, &chunk, clock_in(patience));
		if (r == IPC_OK && chunk.n > 0)
			submission_add(s, chunk);
	}
	return r;
}

/* One message; its file is gone if the submitter goes away before the end. */
static enum ipc_result
take_message(struct ipc *c, const struct msg_submit *m, struct arena *a)
{
	int64_t patience = settings.common.ipc_timeout;
	struct submission *s = submission_new(&settings, a, m);
	struct msg_submit_result result;
	const void *end;
	enum ipc_result r;

	r = receive_content(c, s, patience);
	if (r == IPC_OK)
		r = ipc_expect(c, &message_submit_end, &end,
		    clock_in(patience));
	if (r == IPC_OK &&
	    ((const struct msg_submit_end *)end)->size !=
		submission_received(s))
		r = ipc_refuse(c, "submit_end: size is not what came");
	if (r == IPC_OK) {
		submission_commit(s, &result);
		r = ipc_send(c, &message_submit_result, &result,
		    clock_in(patience));
	}
	submission_free(&s);
	return r;
}

enum { LOOK_MS = 500 };

/* Is it time to go? Asking costs a system call; now and then is enough. */
static bool
must_go(void)
{
	static int64_t next;
	int64_t now = clock_ms();

	if (now < next)
		return false;
	next = now + LOOK_MS;
	return service_retiring();
}

/* One submitter: messages one after the other. */
static void
serve(const struct service *service, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_cleanup, "submitter");
	struct arena *a = arena_new();
	const void *message;
	enum ipc_result r;

	(void)service;
	do {
		arena_reset(a);
		r = ipc_expect(c, &message_submit, &message,
		    clock_in(settings.common.max_idle));
		if (r == IPC_OK)
			r = take_message(c, message, a);
	} while (r == IPC_OK && !must_go());
	arena_free(&a);
	ipc_free(&c);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &settings.common },
		{ &cleanup_param_group, &settings.own },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "cleanup",
		.style = SERVICE_ONE,
		.params = params,
		.protocol = &protocol_cleanup,
		.before = set_up,
		.session = serve,
	};

	return service_run(&spec, argc, argv);
}
