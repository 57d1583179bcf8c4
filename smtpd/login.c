/* SPDX-License-Identifier: ISC */
/*
 * AUTH: RFC 4954. The exchange is relayed to auth; no password data stays
 * here longer than it takes to pass it on.
 */
#include "smtpd/login.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/sasl/sasl_security.h"
#include "lib/task/task.h"
#include "lib/tls/tls.h"
#include "smtpd/limits.h"

enum {
	DEADLINE_S = 60,
	SASL_DATA_MAX = 16384,
	MECHANISM_MAX = 32,
	REMEMBER_S = 10, /* the list of mechanisms */
	/* for the list: when there is none yet, auth may just be starting */
	FIRST_LIST_S = 10,
	LIST_S = 3,
	RETRY_S = 2, /* everybody's EHLO would wait */
};

static const char service[] = "auth";

/* The mechanisms, without and with TLS; asked anew now and then. */
static struct {
	char names[1025];
	bool had; /* ever */
	int64_t until; /* not asked again before */
} known[2];

bool
login_offered(const struct session *s)
{
	return s->p->smtpd_sasl_auth_enable && !s->client.auth_exception &&
	    (s->tls_seen || !s->config->tls_params->smtpd_tls_auth_only);
}

static bool
ask_mechanisms(bool tls)
{
	struct msg_mechanisms question = { .service = "smtp", .tls = tls };
	const struct service_question q = { &message_mechanisms, &question,
		&message_mechanisms_reply };
	int64_t deadline = clock_in(known[tls].had ? LIST_S : FIRST_LIST_S);
	struct ipc *c;
	const struct msg_mechanisms_reply *reply =
	    service_question(service, &protocol_auth, &q, deadline, &c);

	if (reply == NULL)
		return false;
	snprintf(known[tls].names, sizeof(known[tls].names), "%s",
	    reply->names);
	known[tls].had = true;
	service_done(service, &c, true);
	return true;
}

/* Where there is a list, nobody but who asks waits for the next one. */
static bool
have_mechanisms(bool tls)
{
	bool good;

	if (known[tls].until > clock_ms())
		return known[tls].had;
	if (known[tls].had)
		known[tls].until = clock_in(LIST_S);
	good = ask_mechanisms(tls);
	known[tls].until = clock_in(good ? REMEMBER_S : RETRY_S);
	return known[tls].had;
}

/*
 * Those that smtpd_sasl_security_options, or that for TLS, leave, and
 * smtpd_sasl_mechanism_filter has.
 */
static void
keep_allowed(const struct session *s, const char *all, char *names, size_t room)
{
	const char *options = s->tls_seen ?
	    s->p->smtpd_sasl_tls_security_options :
	    s->p->smtpd_sasl_security_options;
	struct span rest = span_of(all), name;
	size_t used = 0;

	while (span_cut(&rest, " ", true, &name)) {
		if (name.n == 0 || !sasl_security_allows(options, name) ||
		    used + name.n + 2 > room ||
		    client_list_match_word(s->config->mechanisms, name) !=
			TABLE_FOUND)
			continue;
		used += (size_t)snprintf(names + used, room - used, "%s%.*s",
		    used > 0 ? " " : "", SPAN_ARG(name));
	}
}

bool
login_mechanisms(struct session *s, char *names, size_t room)
{
	char all[sizeof(known[0].names)];

	names[0] = '\0';
	if (!login_offered(s))
		return true;
	if (!have_mechanisms(s->tls_seen))
		return false;
	/* a table of the filter waits: others get a new list meanwhile */
	snprintf(all, sizeof(all), "%s", known[s->tls_seen].names);
	keep_allowed(s, all, names, room);
	return true;
}

void
login_forget(struct session *s)
{
	free(s->user);
	free(s->mechanism);
	s->user = s->mechanism = NULL;
}

struct exchange {
	struct session *s;
	struct ipc *c;
	char mechanism[MECHANISM_MAX + 1];
	struct buf data; /* decoded; wiped */
	bool clean; /* the connection ended between two dialogues */
};

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->room);
	buf_fini(b);
}

static void
temporary_failure(struct exchange *x, const char *why)
{
	log_warning("%s: SASL %s authentication is not available: %s",
	    x->s->client.full, x->mechanism, why);
	say_no(x->s, 454, "4.7.0", "Temporary authentication failure");
}

static void
succeeded(struct exchange *x, const struct msg_authenticated *a)
{
	struct session *s = x->s;

	login_forget(s);
	s->user = mem_text(a->user);
	s->mechanism = mem_text(x->mechanism);
	if (a->behind[0] != '\0')
		log_info("%s: SASL %s login, sasl_username=%s%s",
		    s->client.full, x->mechanism, a->user, a->behind);
	say(s, 235, "2.7.0", "Authentication successful");
}

static void
failed(struct exchange *x, const struct msg_authenticated *a)
{
	struct session *s = x->s;

	log_warning("%s: SASL %s authentication failed: %s%s%s%s",
	    s->client.full, x->mechanism, a->text,
	    a->user[0] != '\0' ? ", sasl_username=" : "", a->user, a->behind);
	if (a->delay_ms > 0) {
		stream_flush(s->io);
		wait_until(clock_ms() + (int64_t)a->delay_ms);
	}
	/* why is for the log: it would tell that a guess was right */
	say_no(s, 535, "5.7.8",
	    "Error: authentication failed: authentication failure");
}

/*
 * One line of the client. False: the exchange is over and was answered, but
 * for what auth has to be told.
 */
static bool
client_answer(struct exchange *x, struct msg_response *response)
{
	struct session *s = x->s;
	struct span line;

	buf_reset(&x->data);
	if (!session_line(s, (size_t)s->p->smtpd_sasl_response_limit, &line)) {
		response->cancel = true;
		return false;
	}
	line = span_trim(line);
	if (span_is(line, "*")) {
		response->cancel = true;
		say_no(s, 501, "5.7.0", "Authentication aborted");
		return false;
	}
	if (!base64_decode(line, &x->data)) {
		response->cancel = true;
		say_no(s, 501, "5.5.2",
		    "Error: authentication failed: Invalid base64 data");
		return false;
	}
	response->data = buf_span(&x->data);
	return true;
}

static bool
challenge(struct exchange *x, struct span data)
{
	struct buf text = BUF_INIT(SASL_DATA_MAX * 2);
	bool good = base64_encode(data, &text);

	stream_text(x->s->io, "334 ");
	stream_write(x->s->io, text.p, text.n);
	stream_text(x->s->io, "\r\n");
	buf_fini(&text);
	return good;
}

static void
concluded(struct exchange *x, const struct msg_authenticated *a)
{
	x->clean = true;
	switch (a->verdict) {
	case OK:
		succeeded(x, a);
		break;
	case LATER:
		temporary_failure(x, a->text);
		break;
	default:
		failed(x, a);
	}
}

/* Challenges and answers until auth has seen enough; this is its first word. */
static void
converse(struct exchange *x, const struct ipc_message *m, const void *message)
{
	struct msg_response response = { .cancel = false };
	bool answered = false;
	enum ipc_result r = IPC_OK;

	while (r == IPC_OK && m == &message_challenge && !answered) {
		const struct msg_challenge *c = message;

		challenge(x, c->data);
		answered = !client_answer(x, &response);
		r = ipc_send(x->c, &message_response, &response,
		    clock_in(DEADLINE_S));
		if (r == IPC_OK)
			r = ipc_receive(x->c, &m, &message,
			    clock_in(DEADLINE_S));
	}
	if (answered)
		x->clean = r == IPC_OK && m == &message_authenticated;
	else if (r == IPC_OK && m == &message_authenticated)
		concluded(x, message);
	else
		temporary_failure(x, ipc_result_text(r));
}

static void
authenticate(struct exchange *x, bool has_initial)
{
	struct session *s = x->s;
	struct msg_authenticate question = {
		.service = "smtp",
		.mechanism = x->mechanism,
		.client = s->client.address_text,
		.server = s->config->common->myhostname,
		.tls = s->tls_seen,
		.has_initial = has_initial,
		.initial = buf_span(&x->data),
	};
	const struct ipc_message *came;
	const struct service_question q = { &message_authenticate, &question,
		NULL };
	const void *message;
	char binding[64];
	size_t n = 0;

	if (s->tls_seen && tls_channel_binding(stream_tls(s->io), binding, &n))
		question.binding = (struct span){ binding, n };
	message = service_question_any(service, &protocol_auth, &q,
	    clock_in(DEADLINE_S), &x->c, &came);
	if (message == NULL) {
		temporary_failure(x, "no answer from auth");
		return;
	}
	converse(x, came, message);
	service_done(service, &x->c, x->clean);
}

/* "MECHANISM [initial-response]"; "=" is an empty one. */
static bool
parse(struct exchange *x, struct span arguments, bool *has_initial)
{
	struct span name, initial;

	if (!span_cut(&arguments, " \t", true, &name) ||
	    name.n > MECHANISM_MAX) {
		say_no(x->s, 501, "5.5.4", "Syntax: AUTH mechanism");
		return false;
	}
	for (size_t i = 0; i < name.n; i++)
		x->mechanism[i] = (char)toupper((unsigned char)name.p[i]);
	initial = span_trim(arguments);
	*has_initial = initial.n > 0;
	if (initial.n > 0 && !span_is(initial, "=") &&
	    !base64_decode(initial, &x->data)) {
		say_no(x->s, 501, "5.5.2",
		    "Error: authentication failed: Invalid base64 data");
		return false;
	}
	return true;
}

/* False: answered. */
static bool
mechanism_known(struct exchange *x)
{
	struct session *s = x->s;
	char names[1025];
	struct span rest, name;

	if (!login_mechanisms(s, names, sizeof(names))) {
		temporary_failure(x, "auth has not said which it has");
		return false;
	}
	rest = span_of(names);
	while (span_cut(&rest, " ", true, &name))
		if (span_is_nocase(name, x->mechanism))
			return true;
	log_warning("%s: SASL %s authentication failed: "
		    "Invalid authentication mechanism",
	    s->client.full, x->mechanism);
	say_no(s, 535, "5.7.8",
	    "Error: authentication failed: Invalid authentication mechanism");
	return false;
}

static bool
may_log_in(struct session *s)
{
	if (!s->p->smtpd_sasl_auth_enable || s->client.auth_exception) {
		say_no(s, 503, "5.5.1", "Error: authentication not enabled");
		return false;
	}
	if (!login_offered(s)) {
		say_no(s, 538, "5.7.11",
		    "Encryption required for requested "
		    "authentication mechanism");
		return false;
	}
	if (s->user != NULL) {
		say_no(s, 503, "5.5.1", "Error: already authenticated");
		return false;
	}
	if (!limits_allow(s, LIMIT_AUTH)) {
		log_warning("AUTH command rate limit exceeded: from %s for "
			    "service %s (smtpd_client_auth_rate_limit)",
		    s->client.full, s->config->service->name);
		say_no(s, 450, "4.7.1",
		    "Error: too many AUTH commands "
		    "from %s",
		    s->client.address_text);
		return false;
	}
	return true;
}

void
verb_auth(struct session *s, struct span arguments)
{
	struct exchange x = { .s = s, .data = BUF_INIT(SASL_DATA_MAX) };
	bool has_initial;

	if (!may_log_in(s))
		return;
	if (parse(&x, arguments, &has_initial) && mechanism_known(&x))
		authenticate(&x, has_initial);
	wipe(&x.data);
}
