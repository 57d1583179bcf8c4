/* SPDX-License-Identifier: ISC */
/*
 * From the login stage to the session stage.
 *
 * A plain connection is given away whole, with what the client has sent
 * behind its login; one with TLS stays, and the session stage gets one end of
 * a socket pair, to whose other end the relay moves the bytes.
 */
#include "lib/login/login.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_session.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum { HAND_OVER_TIMEOUT_S = 30 };

static int
session_end(struct login *l)
{
	int pair[2];

	if (!l->secure)
		return stream_fd(l->io);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1) {
		log_warning("socketpair: %m");
		return -1;
	}
	l->session = pair[0];
	l->relayed = true;
	return pair[1];
}

/*
 * Nobody waits for an answer: from here on the session stage talks to the
 * client, also where there is no session for it. A connection from the pool
 * may have been closed: then there is another one.
 */
static bool
tell_session_stage(struct login *l, const struct msg_open_session *open)
{
	const char *stage = l->stage->session_stage;
	int64_t deadline = clock_in(HAND_OVER_TIMEOUT_S);
	enum ipc_result r = IPC_CLOSED;
	struct ipc *c;

	for (int i = 0; i < 2 && r == IPC_CLOSED; i++) {
		c = i == 0 ?
		    service_ask_at_once(stage, &protocol_session, deadline) :
		    service_ask(stage, &protocol_session, deadline);
		if (c == NULL)
			return false;
		r = ipc_send(c, &message_open_session, open, deadline);
		service_done(stage, &c, r == IPC_OK);
	}
	if (r != IPC_OK)
		log_warning("%s does not take [%s], session=%s: %s", stage,
		    l->client, l->id, ipc_result_text(r));
	return r == IPC_OK;
}

static bool
give(struct login *l, const char *ticket, const char *method, int fd)
{
	struct msg_open_session open = {
		.ticket = ticket,
		.id = l->id,
		.client = l->client,
		.method = method,
		.tls = l->secure ? tls_session_text(stream_tls(l->io)) : "",
		.tag = l->tag,
		.socket = fd,
	};

	/* what is here already is read without a wait; with TLS it stays */
	if (!l->secure && stream_buffered(l->io) > 0 &&
	    stream_peek(l->io, &open.early) != IO_OK)
		return false;
	return tell_session_stage(l, &open);
}

void
login_hand_over(struct login *l, const char *ticket, const char *method)
{
	bool good;
	int fd;

	l->done = true;
	/* answers to earlier commands leave before the session's words */
	if (stream_flush(l->io) != IO_OK) {
		login_broken(l, IO_ERROR);
		return;
	}
	fd = session_end(l);
	good = fd != -1 && give(l, ticket, method, fd);
	if (l->relayed)
		fd_close(&fd);
	if (!good) {
		l->relayed = false;
		fd_close(&l->session);
		l->stage->say(l, LOGIN_NO_SESSION);
		l->end = "no session";
	}
	l->handed_over = good;
}
