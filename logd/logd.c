/* SPDX-License-Identifier: ISC */
/*
 * logd: takes the log lines of all programs and writes them.
 *
 * SECURITY: runs as the log user; opens its file with master's rights and
 * drops them. Hostile input: the text of every line, and all of it if a
 * program was taken over; logd/line.c makes it harmless. Nobody waits for
 * logd: the pipe is non-blocking for those who write.
 *
 * Listeners: the log pipe's reading end, then the datagram socket
 * public/log of commands.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "logd/target.h"

enum {
	/* After a wake, so long, so that a busy system costs few of them. */
	GATHER_MS = 20,
	MOVED_MS = 1000,
	READ_MAX = 64 * 1024,
	LISTENERS_MAX = 16,
};

static struct common_params common;
static struct logd_params params;
static struct buf pending = BUF_INIT(READ_MAX); /* of the pipe, no line yet */

static void
before(const struct service *s)
{
	target_open(&common, &params, s->separated ? common.log_user : NULL);
	/* a file is open for good; syslog's socket may have to be found again
	 */
	if (common.maillog_file[0] == '\0')
		service_promise_too("syslog");
}

static void
add_lines(int64_t now)
{
	struct span rest = buf_span(&pending);
	size_t n;

	while ((n = span_find(rest, '\n')) < rest.n) {
		target_add(span_take(rest, n), now);
		rest = span_skip(rest, n + 1);
	}
	/* no line is so long, but somebody may write what he likes */
	if (rest.n > LINE_TEXT_MAX) {
		target_add(rest, now);
		rest.n = 0;
	}
	buf_drop(&pending, pending.n - rest.n);
}

/* Everything that is in the pipe: a short read has taken the rest. */
static void
drain_pipe(int fd)
{
	size_t room;
	ssize_t got;

	do {
		room = READ_MAX - pending.n;
		do
			got = read(fd, buf_reserve(&pending, room), room);
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return;
		buf_added(&pending, (size_t)got);
		add_lines(clock_wall_us());
	} while ((size_t)got == room);
}

static void
drain_socket(int fd)
{
	char data[LINE_TEXT_MAX];
	ssize_t got;

	while ((got = recv(fd, data, sizeof(data), MSG_DONTWAIT)) >= 0) {
		struct span line = { data, (size_t)got };

		while (line.n > 0 && line.p[line.n - 1] == '\n')
			line.n--;
		if (line.n > 0)
			target_add(line, clock_wall_us());
	}
}

/* Those where poll(2) saw something, or all. */
static void
drain(const struct pollfd *p, size_t n, bool all)
{
	if (all || p[0].revents != 0)
		drain_pipe(p[0].fd);
	for (size_t i = 1; i < n; i++)
		if (all || p[i].revents != 0)
			drain_socket(p[i].fd);
	target_flush();
}

static void
gather(void)
{
	struct timespec t = { .tv_nsec = GATHER_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* False: another logd is to open the file anew. */
static bool
look_at_file(void)
{
	static int64_t next;

	if (clock_ms() < next)
		return true;
	next = clock_ms() + MOVED_MS;
	return !target_moved();
}

static void
run(const struct service *s)
{
	struct pollfd p[LISTENERS_MAX + 1];
	const int *fds;
	size_t n = service_listeners(&fds);

	(void)s;
	if (n < 1 || n > LISTENERS_MAX)
		fatal("%zu listeners", n);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	p[n] = (struct pollfd){ .fd = service_control_fd(), .events = POLLIN };
	service_ready_without_tasks();
	while (poll(p, n + 1, -1) >= 0 || errno == EINTR) {
		if (p[n].revents != 0 && service_retiring())
			break;
		if (!look_at_file())
			break;
		gather();
		drain(p, n, false);
	}
	drain(p, n, true);
}

static const struct service_params settings[] = {
	{ &common_param_group, &common },
	{ &logd_param_group, &params },
	{ NULL, NULL },
};

static const struct service_spec spec = {
	.program = "logd",
	.style = SERVICE_OWN,
	.params = settings,
	.before = before,
	.run = run,
};

int
main(int argc, char **argv)
{
	return service_run(&spec, argc, argv);
}
