/* SPDX-License-Identifier: ISC */
/* The dialogue with auth, on behalf of one client. */
#include "pop3d/login_stage.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_session.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"

enum {
	AUTH_TIMEOUT_S = 60,
	HAND_OVER_TIMEOUT_S = 30,
	RESPONSE_MAX = 16384, /* decoded */
	RESPONSE_LINE_MAX = 22000,
	MECHANISM_NAME_MAX = 32,
	REMEMBER_S = 10,
};

/* One attempt. */
struct attempt {
	struct login_stage *s;
	struct ipc *auth;
	const char *method; /* for log lines: USER, PLAIN */
};

/* What auth offers, asked at most every few seconds: CAPA is frequent. */
const char *
login_mechanisms(bool tls)
{
	static char names[2][1025];
	static int64_t asked[2];
	struct msg_mechanisms question = { .service = "pop3", .tls = tls };
	const struct msg_mechanisms_reply *reply;
	int64_t now = clock_ms(), deadline = clock_in(AUTH_TIMEOUT_S);
	const void *message;
	struct ipc *c;
	bool good;

	if (asked[tls] != 0 && now - asked[tls] < REMEMBER_S * 1000)
		return names[tls];
	c = service_ask("auth", &protocol_auth, deadline);
	if (c == NULL)
		return "";
	ipc_put(c, &message_mechanisms, &question);
	good = ipc_expect(c, &message_mechanisms_reply, &message, deadline) ==
	    IPC_OK;
	if (good) {
		reply = message;
		snprintf(names[tls], sizeof(names[tls]), "%s", reply->names);
		asked[tls] = now;
	}
	service_done("auth", &c, good);
	return good ? names[tls] : "";
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->room);
	buf_fini(b);
}

static void
unavailable(struct login_stage *s)
{
	stream_text(s->io,
	    "-ERR [SYS/TEMP] Temporary authentication failure\r\n");
}

/*
 * A failure is told after the time that auth asks for; nobody else waits, and
 * nothing is held meanwhile. The words are the same whatever was wrong.
 */
static void
refuse(struct attempt *a, const struct msg_authenticated *m)
{
	int64_t delay = (int64_t)m->delay_ms;
	struct login_stage *s = a->s;
	bool later = m->verdict == LATER;

	log_warning("unknown[%s]: SASL %s authentication failed: %s%s%s,"
		    " session=%s",
	    s->client, a->method, m->text,
	    m->user[0] == '\0' ? "" : ", sasl_username=", m->user, s->id);
	service_done("auth", &a->auth, true);
	if (delay > 0)
		(void)wait_until(clock_ms() + delay);
	if (later) {
		unavailable(s);
		return;
	}
	s->refused++;
	stream_text(s->io, "-ERR [AUTH] Authentication failed\r\n");
}

/* A line of the client's, decoded. False: the exchange is over. */
static bool
read_response(struct attempt *a, struct buf *data, bool *cancel)
{
	struct span line;
	enum io r;

	r = stream_line(a->s->io, RESPONSE_LINE_MAX, &line, NULL);
	if (r != IO_OK) {
		if (r == IO_LONG)
			stream_text(a->s->io, "-ERR Line too long\r\n");
		a->s->end = stream_error(a->s->io);
		if (r == IO_LONG)
			a->s->end = "line too long";
		a->s->done = true;
		return false;
	}
	*cancel = span_is(line, "*");
	if (*cancel || base64_decode(line, data))
		return true;
	/* as if cancelled, RFC 5034 section 4 */
	*cancel = true;
	return true;
}

static bool
send_challenge(struct attempt *a, struct span challenge)
{
	struct buf text = BUF_INIT(2 * RESPONSE_MAX);
	bool good;

	good = base64_encode(challenge, &text) &&
	    stream_printf(a->s->io, "+ %s\r\n", buf_text(&text)) == IO_OK;
	buf_fini(&text);
	return good;
}

/* Asks the client what auth wants to know, and tells auth. */
static bool
relay_challenge(struct attempt *a, const struct msg_challenge *m)
{
	struct msg_response response = { .cancel = false };
	struct buf data = BUF_INIT(RESPONSE_MAX);
	bool good;

	good = send_challenge(a, m->data) &&
	    read_response(a, &data, &response.cancel);
	if (good) {
		response.data = response.cancel ? SPAN("") : buf_span(&data);
		good = ipc_send(a->auth, &message_response, &response,
			   clock_in(AUTH_TIMEOUT_S)) == IPC_OK;
	}
	wipe(&data);
	return good;
}

static void
finish(struct attempt *a, const struct msg_authenticated *m)
{
	char ticket[65];

	if (m->verdict != OK) {
		refuse(a, m);
		return;
	}
	snprintf(ticket, sizeof(ticket), "%s", m->ticket);
	service_done("auth", &a->auth, true);
	login_hand_over(a->s, ticket, a->method);
}

/* Answers until auth has decided. */
static void
run(struct attempt *a, const struct msg_authenticate *begin)
{
	const struct ipc_message *kind;
	const void *message;
	enum ipc_result r;

	r = ipc_send(a->auth, &message_authenticate, begin,
	    clock_in(AUTH_TIMEOUT_S));
	while (r == IPC_OK) {
		r = ipc_receive(a->auth, &kind, &message,
		    clock_in(AUTH_TIMEOUT_S));
		if (r != IPC_OK)
			break;
		if (kind == &message_authenticated) {
			finish(a, message);
			return;
		}
		if (kind != &message_challenge)
			r = ipc_refuse(a->auth, "%s is not an answer",
			    kind->name);
		else if (!relay_challenge(a, message))
			return;
	}
	log_warning("no answer from auth: %s", ipc_result_text(r));
	unavailable(a->s);
}

static void
attempt(struct login_stage *s, const char *mechanism, const char *method,
    const struct span *initial)
{
	struct attempt a = { .s = s, .method = method };
	struct msg_authenticate begin = {
		.service = "pop3",
		.mechanism = mechanism,
		.client = s->client,
		.server = s->common->myhostname,
		.tls = s->secure,
		.has_initial = initial != NULL,
		.initial = initial == NULL ? SPAN("") : *initial,
		.binding = SPAN(""),
	};

	a.auth = service_ask("auth", &protocol_auth, clock_in(AUTH_TIMEOUT_S));
	if (a.auth == NULL) {
		unavailable(s);
		return;
	}
	run(&a, &begin);
	/* still here: the dialogue was broken off */
	service_done("auth", &a.auth, false);
}

void
login_password(struct login_stage *s, struct span password)
{
	struct buf message = BUF_INIT(RESPONSE_MAX);
	struct span initial;

	buf_add_char(&message, '\0');
	buf_add_text(&message, s->user);
	buf_add_char(&message, '\0');
	buf_add_span(&message, password);
	initial = buf_span(&message);
	attempt(s, "PLAIN", "USER", &initial);
	wipe(&message);
}

/*
 * PLAIN without an initial response is asked for here, so that a slow client
 * holds no connection to auth.
 */
static bool
ask_plain(struct login_stage *s, struct buf *data)
{
	struct attempt a = { .s = s };
	bool cancel = false;

	if (!send_challenge(&a, SPAN("")) || !read_response(&a, data, &cancel))
		return false;
	if (cancel)
		stream_text(s->io, "-ERR Authentication cancelled\r\n");
	return !cancel;
}

void
login_exchange(struct login_stage *s, struct span mechanism,
    struct span initial)
{
	struct buf data = BUF_INIT(RESPONSE_MAX);
	char name[MECHANISM_NAME_MAX + 1];
	struct span decoded;
	bool plain;

	if (mechanism.n > MECHANISM_NAME_MAX) {
		stream_text(s->io, "-ERR Unknown mechanism\r\n");
		return;
	}
	for (size_t i = 0; i < mechanism.n; i++)
		name[i] = mechanism.p[i] >= 'a' && mechanism.p[i] <= 'z' ?
		    (char)(mechanism.p[i] - 'a' + 'A') :
		    mechanism.p[i];
	name[mechanism.n] = '\0';
	plain = strcmp(name, "PLAIN") == 0;
	/* "=" stands for an initial response of no bytes, RFC 5034 */
	if (initial.p != NULL && !span_is(initial, "=") &&
	    !base64_decode(initial, &data))
		stream_text(s->io, "-ERR Invalid base64 data\r\n");
	else if (initial.p != NULL || !plain || ask_plain(s, &data)) {
		decoded = data.n == 0 ? SPAN("") : buf_span(&data);
		attempt(s, name, name,
		    initial.p != NULL || plain ? &decoded : NULL);
	}
	wipe(&data);
}

/*
 * With TLS, or when more has come than the login, the session stage gets one
 * end of a socket pair and we move the bytes; else it gets the connection.
 */
static int
session_end(struct login_stage *s)
{
	int pair[2];

	if (!s->secure && stream_buffered(s->io) == 0)
		return stream_fd(s->io);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1) {
		log_warning("socketpair: %m");
		return -1;
	}
	s->session = pair[0];
	s->relayed = true;
	return pair[1];
}

static bool
ask_session_stage(struct login_stage *s, const char *ticket, const char *method,
    int fd)
{
	int64_t deadline = clock_in(HAND_OVER_TIMEOUT_S);
	struct msg_open_session open = {
		.ticket = ticket,
		.id = s->id,
		.client = s->client,
		.method = method,
		.tls = s->secure ? tls_session_text(stream_tls(s->io)) : "",
		.socket = fd,
	};
	const struct msg_session_opened *answer;
	const void *message;
	struct ipc *c;
	bool heard, good = false;

	c = service_ask("pop3d-session", &protocol_session, deadline);
	if (c == NULL)
		return false;
	ipc_put(c, &message_open_session, &open);
	heard = ipc_expect(c, &message_session_opened, &message, deadline) ==
	    IPC_OK;
	if (heard) {
		answer = message;
		good = answer->verdict == OK;
		if (!good)
			log_warning("no session for [%s], session=%s: %s",
			    s->client, s->id, answer->text);
	}
	service_done("pop3d-session", &c, heard);
	return good;
}

void
login_hand_over(struct login_stage *s, const char *ticket, const char *method)
{
	int fd;
	bool good;

	/* answers to earlier commands leave before the session's words */
	if (stream_flush(s->io) != IO_OK) {
		s->end = stream_error(s->io);
		s->done = true;
		return;
	}
	fd = session_end(s);
	good = fd != -1 && ask_session_stage(s, ticket, method, fd);
	if (s->relayed)
		fd_close(&fd);
	if (!good) {
		s->relayed = false;
		fd_close(&s->session);
		stream_text(s->io,
		    "-ERR [SYS/TEMP] Cannot open the mailbox now,"
		    " try again later\r\n");
		s->end = "no session";
	}
	s->handed_over = good;
	s->done = true;
}
