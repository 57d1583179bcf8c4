/* SPDX-License-Identifier: ISC */
/*
 * Between a client's TLS stream and its session's socket.
 *
 * SECURITY: bytes are moved, never looked at. The client's end may be slow or
 * stop in the middle of a TLS record: then only its own session waits.
 */
#include "lib/login/login.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

enum {
	CHUNK = 16384,
	STOP_MS = 2000, /* for the session's last words when the server stops */
	RECORD_MS = 2000, /* for the rest of a record that has begun */
	WRITE_MS = 300000,
};

struct relay {
	struct stream *client;
	int session;
	int poll;
	bool client_ended;
	bool blocked; /* the session takes no more for now */
	bool stopping;
	int64_t idle_ms;
	const char *end; /* why, if somebody should know */
};

static bool
ends(struct relay *r, const char *why)
{
	r->end = why;
	return false;
}

static bool
watch(struct relay *r, int operation)
{
	struct epoll_event client = { .events = 0, .data.u32 = 0 };
	struct epoll_event session = { .events = EPOLLIN, .data.u32 = 1 };

	/* while the session takes nothing, the client is not read */
	if (!r->blocked && !r->client_ended)
		client.events = EPOLLIN;
	if (r->blocked)
		session.events |= EPOLLOUT;
	return epoll_ctl(r->poll, operation, stream_fd(r->client), &client) ==
	    0 &&
	    epoll_ctl(r->poll, operation, r->session, &session) == 0;
}

/* What the client has sent to the session. False: the relay ends. */
static bool
to_session(struct relay *r)
{
	struct span bytes;
	ssize_t n;
	enum io result;

	stream_timeout(r->client, RECORD_MS);
	result = stream_peek(r->client, &bytes);
	if (result == IO_TIMEOUT)
		return true;
	if (result != IO_OK) {
		r->client_ended = true;
		shutdown(r->session, SHUT_WR);
		if (result != IO_EOF)
			return ends(r, stream_error(r->client));
		return watch(r, EPOLL_CTL_MOD) || ends(r, strerror(errno));
	}
	n = send(r->session, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		stream_consume(r->client, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		return errno != EPIPE && ends(r, strerror(errno));
	if (r->blocked != (n == -1)) {
		r->blocked = n == -1;
		return watch(r, EPOLL_CTL_MOD) || ends(r, strerror(errno));
	}
	return true;
}

/* What the session says to the client. False: the relay ends. */
static bool
to_client(struct relay *r)
{
	/* shared by all: stream_write copies it before anything waits */
	static char chunk[CHUNK];
	ssize_t n = recv(r->session, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ||
		    ends(r, strerror(errno));
	stream_timeout(r->client, WRITE_MS);
	if (n == 0) {
		stream_flush(r->client);
		return r->stopping && ends(r, "the server stops");
	}
	if (stream_write(r->client, chunk, (size_t)n) == IO_OK &&
	    stream_flush(r->client) == IO_OK)
		return true;
	return ends(r, stream_error(r->client));
}

/* The session is told as well, and has something to say to its client. */
static bool
stop(struct relay *r)
{
	task_revive();
	r->stopping = true;
	r->idle_ms = STOP_MS;
	return true;
}

/* Waits and moves once. */
static bool
step(struct relay *r)
{
	struct epoll_event events[2];
	bool good = true;
	enum wait_result w;
	int n;

	if (!r->blocked && !r->client_ended && stream_buffered(r->client) > 0)
		return to_session(r);
	w = wait_fd(r->poll, WAIT_READ, clock_ms() + r->idle_ms);
	if (w == WAIT_CANCELLED && !r->stopping)
		return stop(r);
	if (w != WAIT_READY)
		return ends(r, r->stopping ? "the server stops" : "timeout");
	n = epoll_wait(r->poll, events, 2, 0);
	for (int i = 0; i < n && good; i++) {
		uint32_t what = events[i].events;

		if (events[i].data.u32 == 0)
			good = r->client_ended ?
			    (what & (EPOLLHUP | EPOLLERR)) == 0 :
			    to_session(r);
		else if ((what & EPOLLOUT) != 0)
			good = to_session(r);
		if (good && events[i].data.u32 == 1 &&
		    (what & (EPOLLIN | EPOLLHUP)) != 0)
			good = to_client(r);
	}
	return good;
}

const char *
relay_run(struct stream *client, int session, int64_t idle_ms)
{
	struct relay r = {
		.client = client,
		.session = session,
		.idle_ms = idle_ms,
	};

	r.poll = epoll_create1(EPOLL_CLOEXEC);
	if (r.poll == -1 || !watch(&r, EPOLL_CTL_ADD)) {
		log_warning("relay: %m");
		fd_close(&r.poll);
		return "no relay";
	}
	/* the handshake's and the login's part of the stack is not needed */
	task_trim_stack();
	while (step(&r))
		;
	wait_forget(r.poll);
	fd_close(&r.poll);
	return r.end;
}
