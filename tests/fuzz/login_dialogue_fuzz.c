/* SPDX-License-Identifier: ISC */
/*
 * What any stranger may say to POP3 and IMAP before the login, the first byte
 * says to which, and whether TLS is on: no password is asked for where it must
 * not be sent, and each answer is a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/prelogin.h"
#include "lib/log/log.h"
#include "pop3d/authorization.h"
#include "tests/fuzz/defaults.h"
#include "tests/fuzz/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AS_IMAP = 1, TLS_ON = 2, IN_CLEAR = 4, HAS_TLS = 8 };

static struct common_params common;
static struct pop3d_params pop3;
static struct imapd_params imap;
static struct login_params settings;
static unsigned int how;

/* In place of lib/login: who that is, nobody asks. */

const char *
login_mechanisms(const struct login *l)
{
	(void)l;
	return "PLAIN LOGIN";
}

static void
judge(struct login *l, struct span name)
{
	ensure(login_plaintext_allowed(l));
	if (name.n % 4 == 3)
		l->done = true; /* handed over */
	else
		l->stage->say(l, name.n % 2 == 1 ? LOGIN_LATER : LOGIN_REFUSED);
	l->refused += name.n % 2 == 0;
}

void
login_password(struct login *l, const char *method, struct span user,
    struct span password)
{
	(void)method;
	ensure(!span_has_break(user) || (how & AS_IMAP)); /* a literal */
	ensure(password.n == 0 || password.p != NULL);
	judge(l, user);
}

void
login_exchange(struct login *l, struct span mechanism, struct span initial)
{
	ensure(mechanism.n > 0 && !span_has_break(initial));
	judge(l, initial);
}

bool
login_start_tls(struct login *l, const char *command, const char *answer)
{
	ensure(!l->secure && command[0] == 'S');
	stream_text(l->io, answer);
	l->secure = true;
	return true;
}

bool
login_is_http(struct login *l, struct span word)
{
	if (!span_is(word, "GET") && !span_is(word, "POST"))
		return false;
	l->done = true;
	return true;
}

void
login_too_many(struct login *l, const char *what, const char *setting)
{
	ensure(what[0] != '\0' && setting[0] != '\0');
	l->done = true;
}

void
login_broken(struct login *l, enum io result)
{
	l->end = io_name(result);
}

static void
prepare(void)
{
	log_threshold(LEVEL_PANIC);
	defaults_fill(&common_param_group, &common);
	defaults_fill(&pop3d_param_group, &pop3);
	defaults_fill(&imapd_param_group, &imap);
	defaults_fill(&login_param_group, &settings);
}

static void
serve(struct stream *io)
{
	static char tls; /* only whether there is one is looked at */
	struct login_params rules = settings;
	struct login_stage stage = { .common = &common,
		.params = &rules,
		.say = how & AS_IMAP ? prelogin_say : authorization_say,
		.tls = how & HAS_TLS ? (void *)&tls : NULL };
	struct prelogin i = { .params = &imap };
	struct authorization p = { .params = &pop3 };
	struct login *l = how & AS_IMAP ? &i.login : &p.login;

	rules.disable_plaintext_auth = !(how & IN_CLEAR);
	l->stage = &stage;
	l->io = io;
	l->secure = how & TLS_ON;
	snprintf(l->client, sizeof(l->client), "192.0.2.1");
	if (how & AS_IMAP)
		prelogin_dialogue(l);
	else
		authorization_dialogue(l);
	free(p.user);
}

static void
check(struct span said)
{
	struct span line;

	ensure(said.n > 0);
	while (said.n > 0) {
		ensure(span_cut(&said, "\n", false, &line));
		ensure(line.n > 0 && line.p[line.n - 1] == '\r');
		line.n--;
		ensure(memchr(line.p, '\r', line.n) == NULL);
		ensure(memchr(line.p, '\0', line.n) == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .serve = serve };
	static bool ready;

	if (size == 0 || size > TALK_MOST)
		return 0;
	if (!ready)
		prepare();
	ready = true;
	how = data[0];
	talk_run(&t, data + 1, size - 1);
	check(buf_span(&t.said));
	buf_fini(&t.said);
	return 0;
}
