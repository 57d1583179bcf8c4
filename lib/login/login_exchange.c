/* SPDX-License-Identifier: ISC */
/* The dialogue with auth, on behalf of one client. */
#include "lib/login/login.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"

enum {
	AUTH_TIMEOUT_S = 60,
	RESPONSE_MAX = 16384, /* decoded */
	RESPONSE_LINE_MAX = 22000,
	MECHANISM_NAME_MAX = 32,
	REMEMBER_S = 10,
};

/* One attempt. */
struct attempt {
	struct login *l;
	struct ipc *auth;
	const char *method; /* for log lines: USER, PLAIN */
	bool cancelled; /* by the client */
};

/* Asked at most every few seconds: CAPABILITY is frequent. */
const char *
login_mechanisms(const struct login *l)
{
	static char names[2][1025];
	static int64_t asked[2];
	bool tls = l->secure;
	struct msg_mechanisms question = {
		.service = l->stage->service,
		.tls = tls,
	};
	const struct service_question q = { &message_mechanisms, &question,
		&message_mechanisms_reply };
	const struct msg_mechanisms_reply *reply;
	int64_t now = clock_ms();
	struct ipc *c;

	if (asked[tls] != 0 && now - asked[tls] < REMEMBER_S * 1000)
		return names[tls];
	reply = service_question("auth", &protocol_auth, &q,
	    clock_in(AUTH_TIMEOUT_S), &c);
	if (reply == NULL)
		return "";
	snprintf(names[tls], sizeof(names[tls]), "%s", reply->names);
	asked[tls] = now;
	service_done("auth", &c, true);
	return names[tls];
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->room);
	buf_fini(b);
}

static void
say(struct login *l, enum login_says what)
{
	l->stage->say(l, what);
}

/*
 * A failure is told after the time that auth asks for; nobody else waits, and
 * nothing is held meanwhile. The words are the same whatever was wrong.
 */
static void
refuse(struct attempt *a, const struct msg_authenticated *m)
{
	int64_t delay = (int64_t)m->delay_ms;
	struct login *l = a->l;
	bool later = m->verdict == LATER;

	log_warning("unknown[%s]: SASL %s authentication failed: %s%s%s%s,"
		    " session=%s",
	    l->client, a->method, m->text,
	    m->user[0] == '\0' ? "" : ", sasl_username=", m->user, m->behind,
	    l->id);
	service_done("auth", &a->auth, true);
	if (delay > 0)
		(void)wait_until(clock_ms() + delay);
	if (later) {
		say(l, LOGIN_LATER);
		return;
	}
	l->refused++;
	say(l, a->cancelled ? LOGIN_CANCELLED : LOGIN_REFUSED);
}

/* A line of the client's, decoded. False: the exchange is over. */
static bool
read_response(struct attempt *a, struct buf *data, bool *cancel)
{
	struct span line;
	enum io r;

	r = stream_line(a->l->io, RESPONSE_LINE_MAX, &line, NULL);
	if (r != IO_OK) {
		if (r == IO_LONG)
			say(a->l, LOGIN_LONG_LINE);
		login_broken(a->l, r);
		a->l->done = true;
		return false;
	}
	*cancel = span_is(line, "*");
	if (*cancel || base64_decode(line, data))
		return true;
	/* as if cancelled, RFC 5034 section 4, RFC 9051 section 6.2.2 */
	*cancel = true;
	return true;
}

static bool
send_challenge(struct attempt *a, struct span challenge)
{
	struct buf text = BUF_INIT(2 * RESPONSE_MAX);
	bool good;

	good = base64_encode(challenge, &text) &&
	    stream_printf(a->l->io, "+ %s\r\n", buf_text(&text)) == IO_OK;
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
		a->cancelled = response.cancel;
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
	login_hand_over(a->l, ticket, a->method);
}

/* From its first answer until auth has decided; IPC_OK: all is said. */
static enum ipc_result
converse(struct attempt *a, const struct ipc_message *kind, const void *message)
{
	enum ipc_result r = IPC_OK;

	while (r == IPC_OK && kind == &message_challenge) {
		if (!relay_challenge(a, message))
			return IPC_OK;
		r = ipc_receive(a->auth, &kind, &message,
		    clock_in(AUTH_TIMEOUT_S));
	}
	if (r != IPC_OK)
		return r;
	if (kind != &message_authenticated)
		return ipc_refuse(a->auth, "%s is not an answer", kind->name);
	finish(a, message);
	return IPC_OK;
}

/* False: there was no answer, which is logged. */
static bool
ask(struct attempt *a, const struct msg_authenticate *begin)
{
	const struct ipc_message *came;
	const struct service_question q = { &message_authenticate, begin,
		NULL };
	const void *message = service_question_any("auth", &protocol_auth, &q,
	    clock_in(AUTH_TIMEOUT_S), &a->auth, &came);
	enum ipc_result r;

	if (message == NULL)
		return false;
	r = converse(a, came, message);
	if (r != IPC_OK)
		log_warning("no answer from auth: %s", ipc_result_text(r));
	return r == IPC_OK;
}

static void
attempt(struct login *l, const char *mechanism, const char *method,
    const struct span *initial)
{
	struct attempt a = { .l = l, .method = method };
	const struct msg_authenticate begin = {
		.service = l->stage->service,
		.mechanism = mechanism,
		.client = l->client,
		.server = l->stage->common->myhostname,
		.tls = l->secure,
		.has_initial = initial != NULL,
		.initial = initial == NULL ? SPAN("") : *initial,
		.binding = SPAN(""),
	};

	if (!ask(&a, &begin))
		say(l, LOGIN_LATER);
	/* still here: the dialogue was broken off */
	service_done("auth", &a.auth, false);
}

void
login_password(struct login *l, const char *method, struct span user,
    struct span password)
{
	struct buf message = BUF_INIT(RESPONSE_MAX);
	struct span initial;

	buf_add_char(&message, '\0');
	buf_add_span(&message, user);
	buf_add_char(&message, '\0');
	buf_add_span(&message, password);
	initial = buf_span(&message);
	attempt(l, "PLAIN", method, &initial);
	wipe(&message);
}

/*
 * PLAIN without an initial response is asked for here, so that a slow client
 * holds no connection to auth.
 */
static bool
ask_plain(struct login *l, struct buf *data)
{
	struct attempt a = { .l = l };
	bool cancel = false;

	if (!send_challenge(&a, SPAN("")) || !read_response(&a, data, &cancel))
		return false;
	if (cancel)
		say(l, LOGIN_CANCELLED);
	return !cancel;
}

void
login_exchange(struct login *l, struct span mechanism, struct span initial)
{
	struct buf data = BUF_INIT(RESPONSE_MAX);
	char name[MECHANISM_NAME_MAX + 1];
	struct span decoded;
	bool plain;

	if (mechanism.n > MECHANISM_NAME_MAX) {
		say(l, LOGIN_NO_MECHANISM);
		return;
	}
	for (size_t i = 0; i < mechanism.n; i++)
		name[i] = mechanism.p[i] >= 'a' && mechanism.p[i] <= 'z' ?
		    (char)(mechanism.p[i] - 'a' + 'A') :
		    mechanism.p[i];
	name[mechanism.n] = '\0';
	plain = strcmp(name, "PLAIN") == 0;
	/* "=" stands for an initial response of no bytes */
	if (initial.p != NULL && !span_is(initial, "=") &&
	    !base64_decode(initial, &data))
		say(l, LOGIN_BAD_BASE64);
	else if (initial.p != NULL || !plain || ask_plain(l, &data)) {
		decoded = data.n == 0 ? SPAN("") : buf_span(&data);
		attempt(l, name, name,
		    initial.p != NULL || plain ? &decoded : NULL);
	}
	wipe(&data);
}
