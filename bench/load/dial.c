/* SPDX-License-Identifier: ISC */
#include "bench/load/dial.h"

#include "lib/base/clock.h"
#include "lib/net/connect.h"
#include "lib/task/task.h"
#include "lib/tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DIAL_WAIT_S = 60, SERVED_MAX = 16384 };

static struct {
	int listener;
	void (*each)(void *stream);
} served;

void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

static struct address
loopback(uint16_t port)
{
	struct address a;

	if (!address_parse_ip(SPAN("127.0.0.1"), port, &a))
		die("127.0.0.1 is no address");
	return a;
}

/* No waiting for more to send: a command is one packet. */
static struct stream *
wrap(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return stream_new(fd);
}

struct stream *
dial(uint16_t port)
{
	struct address to = loopback(port);
	int fd = connect_address(&to, NULL, clock_in(DIAL_WAIT_S));

	return fd < 0 ? NULL : wrap(fd);
}

struct tls_context *
dial_tls(int64_t resume_s)
{
	struct tls_client_settings s = { .level = TLS_ENCRYPT,
		.resume_s = resume_s };
	const char *error = NULL;
	struct tls_context *c = tls_client_new(&s, &error);

	if (c == NULL)
		die("TLS: %s", error);
	return c;
}

struct tls_context *
dial_tls_server(const char *chain)
{
	struct tls_server_settings s = { .files = { .chain_files = chain } };
	const char *error = NULL;
	struct tls_context *c = tls_server_new(&s, &error);

	if (c == NULL)
		die("TLS: %s", error);
	return c;
}

static int
listen_on(uint16_t port)
{
	struct address a = loopback(port);
	int on = 1,
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, &a.any, a.length) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, &a.any, &a.length) < 0)
		die("listen: %s", strerror(errno));
	printf("%u\n", (unsigned int)address_port(&a));
	fflush(stdout);
	return fd;
}

/* The next connection; waits. NULL: this task was cancelled. */
static struct stream *
accept_one(int listener)
{
	int fd;

	for (;;) {
		fd =
		    accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			return wrap(fd);
		if (errno == EAGAIN &&
		    wait_fd(listener, WAIT_READ, INT64_MAX) == WAIT_CANCELLED)
			return NULL;
		if (errno == EMFILE || errno == ENFILE)
			die("accept: %s", strerror(errno));
	}
}

void
dial_descriptors(unsigned int n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		die("getrlimit: %s", strerror(errno));
	if (r.rlim_cur >= n)
		return;
	r.rlim_cur = n;
	if (r.rlim_max < n)
		r.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		die("%u descriptors: %s", n, strerror(errno));
}

static void
control(void *argument)
{
	const uint64_t *number = argument;
	char bytes[256];
	ssize_t n = 1;

	while (n != 0 && wait_fd(0, WAIT_READ, INT64_MAX) == WAIT_READY) {
		n = read(0, bytes, sizeof bytes);
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] == '\n')
				printf("%llu\n", (unsigned long long)*number);
		fflush(stdout);
	}
	task_loop_stop();
}

void
dial_control(const uint64_t *number)
{
	union {
		const uint64_t *in;
		void *out;
	} pass = { .in = number };

	if (fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK) < 0 ||
	    task_start(control, pass.out) == NULL)
		die("control: %s", strerror(errno));
}

static void
accept_all(void *unused)
{
	struct stream *io;

	(void)unused;
	while ((io = accept_one(served.listener)) != NULL)
		if (task_start(served.each, io) == NULL)
			die("session: %s", strerror(errno));
}

void
dial_serve(uint16_t port, void (*each)(void *stream), const uint64_t *number)
{
	signal(SIGPIPE, SIG_IGN);
	dial_descriptors(SERVED_MAX);
	served.each = each;
	served.listener = listen_on(port);
	if (task_start(accept_all, NULL) == NULL)
		die("task: %s", strerror(errno));
	dial_control(number);
	task_loop();
}
