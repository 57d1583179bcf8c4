/* SPDX-License-Identifier: ISC */
#include "smtpd/scratch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"

enum { STOCK_MAX = 32, TRIES = 3 };

static struct {
	int fds[STOCK_MAX]; /* empty files */
	size_t n;
	bool asking; /* a task does; the others wait for their turn */
	struct wait_queue turn;
} stock;

static const char service[] = "cleanup";

void
scratch_bound(uint64_t most)
{
	struct rlimit limit = { .rlim_cur = most, .rlim_max = most };

	signal(SIGXFSZ, SIG_IGN); /* EFBIG says it */
	if (most > 0 && setrlimit(RLIMIT_FSIZE, &limit) < 0)
		log_warning("no limit for the size of files: %m");
}

static int
receive(struct ipc *c, int64_t deadline, struct why *why)
{
	const struct ipc_message *m;
	const struct msg_no_scratch *no;
	const void *message;
	enum ipc_result r = ipc_receive(c, &m, &message, deadline);

	if (r == IPC_OK && m == &message_scratch)
		return ((const struct msg_scratch *)message)->file;
	if (r == IPC_OK && m == &message_no_scratch) {
		no = message;
		why_set(why, no->dsn, "%s", no->text);
		return -1;
	}
	if (r == IPC_OK) {
		ipc_close_fds(m, message);
		(void)ipc_refuse(c, "%s is no scratch file", m->name);
		r = IPC_BROKEN;
	}
	why->error = r == IPC_CLOSED ? EPIPE : EIO;
	log_warning("no scratch file from %s: %s", service, ipc_result_text(r));
	return -1;
}

/* *why->error: the connection failed, EPIPE: perhaps not with the next. */
static int
ask(const char *queue_id, int64_t deadline, struct why *why)
{
	struct msg_scratch_wanted wanted = { .queue_id = queue_id };
	struct ipc *c = service_ask(service, &protocol_cleanup, deadline);
	int fd;

	why_set(why, "4.3.0", "Error: queue file write error");
	if (c == NULL)
		return -1;
	ipc_put(c, &message_scratch_wanted, &wanted);
	fd = receive(c, deadline, why);
	service_done(service, &c, why->error == 0);
	return fd;
}

/*
 * One question at a time: hundreds at once would call up as many processes of
 * cleanup, for an answer that takes no time.
 */
static bool
wait_for_turn(int64_t deadline)
{
	while (stock.asking)
		if (wait_on(&stock.turn, deadline) != WAIT_READY)
			return false;
	stock.asking = true;
	return true;
}

int
scratch_get(const char *queue_id, int64_t deadline, struct why *why)
{
	int fd = -1;

	if (stock.n > 0)
		return stock.fds[--stock.n];
	why_set(why, "4.3.0", "Error: queue file write error");
	if (!wait_for_turn(deadline))
		return -1;
	/* a pooled connection may end while we reach for it */
	for (int tries = 0; fd < 0 && tries < TRIES; tries++) {
		fd = ask(queue_id, deadline, why);
		if (why->error != EPIPE)
			break;
	}
	stock.asking = false;
	(void)wait_wake_one(&stock.turn);
	return fd;
}

int
scratch_write(int fd, const char *queue_id, struct span data, uint64_t at,
    struct why *why)
{
	if (fd_pwrite_all(fd, data.p, data.n, (off_t)at) == 0)
		return 0;
	log_warning("%s: scratch file write error: %m", queue_id);
	if (errno == ENOSPC || errno == EDQUOT)
		why_set(why, "4.3.1", "Insufficient system storage");
	else if (errno == EFBIG)
		why_set(why, "5.3.4", "Error: message file too big");
	else
		why_set(why, "4.3.0", "Error: queue file write error");
	return -1;
}

void
scratch_put(int *fd, bool empty)
{
	if (*fd >= 0 && empty && stock.n < STOCK_MAX) {
		stock.fds[stock.n++] = *fd;
		*fd = -1;
	}
	fd_close(fd);
}

void
scratch_forget_all(void)
{
	while (stock.n > 0)
		fd_close(&stock.fds[--stock.n]);
}
