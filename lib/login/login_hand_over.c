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

/* Whether it was heard, and what was said, in *good. */
static bool
dialogue(struct login *l, struct ipc *c, const struct msg_open_session *open,
    int64_t deadline, bool *good)
{
	const struct msg_session_opened *answer;
	const void *message;

	ipc_put(c, &message_open_session, open);
	if (ipc_expect(c, &message_session_opened, &message, deadline) !=
	    IPC_OK)
		return false;
	answer = message;
	*good = answer->verdict == OK;
	if (!*good)
		log_warning("no session for [%s], session=%s: %s", l->client,
		    l->id, answer->text);
	return true;
}

static bool
ask_session_stage(struct login *l, const char *ticket, const char *method,
    int fd)
{
	int64_t deadline = clock_in(HAND_OVER_TIMEOUT_S);
	struct msg_open_session open = {
		.ticket = ticket,
		.id = l->id,
		.client = l->client,
		.method = method,
		.tls = l->secure ? tls_session_text(stream_tls(l->io)) : "",
		.tag = l->tag,
		.socket = fd,
	};
	bool heard, good = false;
	struct ipc *c;

	/* what is here already is read without a wait; with TLS it stays */
	if (!l->secure && stream_buffered(l->io) > 0 &&
	    stream_peek(l->io, &open.early) != IO_OK)
		return false;
	c = service_ask(l->stage->session_stage, &protocol_session, deadline);
	if (c == NULL)
		return false;
	heard = dialogue(l, c, &open, deadline, &good);
	service_done(l->stage->session_stage, &c, heard);
	return good;
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
	good = fd != -1 && ask_session_stage(l, ticket, method, fd);
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
