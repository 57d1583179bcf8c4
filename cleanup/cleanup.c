/* SPDX-License-Identifier: ISC */
/*
 * cleanup: the only writer of new queue files.
 *
 * SECURITY: runs as the owner of the queue, in the queue directory as root
 * directory, and may only touch files there. Content, addresses and names in
 * it come from strangers, through smtpd, pickup, bounce and local. Which of
 * them it is, master says; each is believed in what it has to know, in nothing
 * else (submitter.c). Content is never interpreted beyond its header fields.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup/free_space.h"
#include "cleanup/qmgr_notice.h"
#include "cleanup/scratch.h"
#include "cleanup/settings.h"
#include "cleanup/submission.h"
#include "cleanup/submitter.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "lib/service/service.h"

static struct settings settings;

/* Where the first part of a message's content lies. */
struct beginning {
	int file; /* -1: in chunks like the rest */
	uint64_t size;
};

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

static int
make_scratch(const char *id, struct why *why)
{
	int fd;

	if (free_space_check(&settings, id, why) != OK)
		return -1;
	fd = scratch_make();
	if (fd >= 0)
		return fd;
	if (errno == ENOSPC || errno == EDQUOT)
		why_set(why, "4.3.1", "Insufficient system storage");
	else
		why_set(why, "4.3.0", "queue file write error");
	log_warning("%s: cannot make a scratch file: %m", id);
	return -1;
}

/* For content that arrives slowly: no process of ours waits for it. */
static enum ipc_result
give_scratch(struct ipc *c, const struct msg_scratch_wanted *wanted)
{
	int64_t deadline = clock_in(settings.common.ipc_timeout);
	struct why why = { .dsn = "" };
	struct msg_scratch scratch = { .file = make_scratch(wanted->queue_id,
					   &why) };
	struct msg_no_scratch no = { .dsn = why.dsn, .text = why.text };
	enum ipc_result r;

	r = scratch.file < 0 ?
	    ipc_send(c, &message_no_scratch, &no, deadline) :
	    ipc_send(c, &message_scratch, &scratch, deadline);
	fd_close(&scratch.file);
	return r;
}

static void
take_scratch(void *with, struct span bytes)
{
	submission_add(with, bytes);
}

/*
 * The submitter may go on writing to the file: what we read is the message,
 * and we read it once.
 */
static enum ipc_result
receive_scratch(struct ipc *c, struct submission *s,
    const struct beginning *from)
{
	if (from->file < 0)
		return IPC_OK;
	if (!scratch_valid(from->file))
		return ipc_refuse(c, "submit_scratch: not a file of ours");
	if (scratch_read(from->file, from->size, take_scratch, s) < 0)
		return ipc_refuse(c, "submit_scratch: %s", strerror(errno));
	/* for the submitter's next message; it cannot do that itself */
	if (ftruncate(from->file, 0) < 0)
		return ipc_refuse(c, "submit_scratch: %s", strerror(errno));
	return IPC_OK;
}

/* One message; its file is gone if the submitter goes away before the end. */
static enum ipc_result
take_message(struct ipc *c, const struct msg_submit *m,
    const struct beginning *begin, struct arena *a)
{
	int64_t patience = settings.common.ipc_timeout;
	const char *caller = ipc_caller(c);
	const char *beyond = submitter_oversteps(caller, m);
	struct submission *s;
	struct msg_submit_result result;
	const void *end;
	enum ipc_result r;

	if (beyond != NULL)
		return ipc_refuse(c, "submit: %s may not set %s",
		    caller ? caller : "this user", beyond);
	s = submission_new(&settings, a, m);
	r = receive_scratch(c, s, begin);
	if (r == IPC_OK)
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

/* A message whose first part lies in a file. */
static enum ipc_result
take_large(struct ipc *c, const struct msg_submit_scratch *m, struct arena *a)
{
	struct beginning begin = { .file = m->file, .size = m->size };
	const void *submit;
	enum ipc_result r;

	r = ipc_expect(c, &message_submit, &submit,
	    clock_in(settings.common.ipc_timeout));
	if (r == IPC_OK)
		r = take_message(c, submit, &begin, a);
	fd_close(&begin.file);
	return r;
}

static enum ipc_result
take(struct ipc *c, struct arena *a)
{
	static const struct beginning none = { .file = -1 };
	const struct ipc_message *m;
	const void *message;
	enum ipc_result r;

	r = ipc_receive(c, &m, &message, clock_in(settings.common.max_idle));
	if (r != IPC_OK)
		return r;
	if (m == &message_submit)
		return take_message(c, message, &none, a);
	if (m == &message_submit_scratch)
		return take_large(c, message, a);
	if (m == &message_scratch_wanted)
		return give_scratch(c, message);
	ipc_close_fds(m, message);
	return ipc_refuse(c, "%s came where submit is due", m->name);
}

/* One submitter: messages one after the other. */
static void
serve(const struct service *service, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_cleanup, "submitter");
	struct arena *a = arena_new();

	(void)service;
	while (service_next(c, clock_in(settings.common.max_idle)) &&
	    take(c, a) == IPC_OK)
		arena_reset(a);
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
		.idle = qmgr_notice_owed,
	};

	return service_run(&spec, argc, argv);
}
