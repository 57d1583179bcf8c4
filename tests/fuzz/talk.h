/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_TALK_H
#define TESTS_FUZZ_TALK_H

/*
 * A whole session with a server's dialogue: all that the client will ever say
 * is there at once, then it closes its side; what it hears is kept.
 */

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/net/stream.h"
#include "lib/task/task.h"

enum {
	TALK_MOST = 60000, /* what a socket takes without a reader */
	TALK_DEADLINE_S = 60,
};

struct talk {
	void (*serve)(struct stream *io);
	struct stream *io;
	int client;
	struct buf said; /* the caller frees it */
};

static inline void
talk_serve(void *argument)
{
	struct talk *t = argument;

	t->serve(t->io);
	stream_flush(t->io);
	stream_free(&t->io);
}

/* The last: whoever listens for something else then stops. */
static inline void
talk_hear(void *argument)
{
	struct talk *t = argument;
	char bytes[4096];
	ssize_t n = 1;

	while (n > 0) {
		ensure(wait_fd(t->client, WAIT_READ,
			   clock_in(TALK_DEADLINE_S)) == WAIT_READY);
		n = recv(t->client, bytes, sizeof(bytes), 0);
		if (n > 0)
			ensure(buf_add(&t->said, bytes, (size_t)n));
	}
	wait_forget(t->client);
	fd_close(&t->client);
	task_loop_stop();
}

static inline void
talk_run(struct talk *t, const uint8_t *data, size_t size)
{
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fd_nonblocking(pair[0], true);
	fd_nonblocking(pair[1], true);
	ensure(size == 0 || write(pair[1], data, size) == (ssize_t)size);
	shutdown(pair[1], SHUT_WR);
	t->client = pair[1];
	t->io = stream_new(pair[0]);
	buf_init(&t->said, 64 << 20);
	ensure(task_start(talk_serve, t) && task_start(talk_hear, t));
	task_loop();
}

#endif
