/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_LOGIN_H
#define LIB_LOGIN_LOGIN_H

/*
 * A login stage's view of one client, whatever it speaks: from connecting
 * until it has proven who it is, and, with TLS, the relay behind that. The
 * program brings the dialogue and the words; what decides is here once.
 *
 * For programs of SERVICE_TASKS: each client is a task, and one that fails
 * waits alone.
 */

#include "lib/base/buf.h"
#include "lib/conf/common.h"
#include "lib/net/address.h"
#include "lib/net/stream.h"
#include "lib/queue/queue_file.h"
#include "lib/service/client_counts.h"
#include "lib/service/service.h"
#include "lib/tls/tls.h"

#define PARAM_GROUP login
#define PARAM_DEF "lib/login/params.def"
#include "lib/conf/param.h"

struct login;

/* What a client may have to be told; the program has the words. */
enum login_says {
	LOGIN_REFUSED, /* wrong name or password, it does not say which */
	LOGIN_LATER, /* who that is cannot be found out now */
	LOGIN_CANCELLED, /* as the client wished */
	LOGIN_BAD_BASE64,
	LOGIN_NO_MECHANISM,
	LOGIN_LONG_LINE,
	LOGIN_NO_SESSION, /* the mailbox cannot be opened now */
	LOGIN_CROWD, /* too many connections from there */
	LOGIN_SAYS_COUNT,
};

/* What is the same for all clients of a process. */
struct login_stage {
	const char *service; /* "imap": for auth, and with TLS */
	const char *session_stage; /* "imapd-session" */
	const char *connection_limit; /* the setting's name */
	const char *timeout; /* "timeout: see imap_login_timeout" */
	void (*say)(struct login *l, enum login_says what);
	/* until l->done, or the client is gone: then l->end says why */
	void (*dialogue)(struct login *l);

	const struct common_params *common;
	const struct login_params *params;
	struct tls_context *tls; /* NULL: none to be had */
	bool wrapped; /* TLS from the first byte */
	int64_t connections; /* of one client, 0: any number */
	int64_t login_timeout_s;
	int64_t session_timeout_s;
};

struct login {
	const struct login_stage *stage;
	struct stream *io;
	char id[QUEUE_ID_MAX];
	char client[ADDRESS_TEXT_MAX];
	struct address address; /* any.sa_family 0: not to be had */
	struct client_count count;
	bool secure; /* TLS is on */
	bool done; /* no more commands: closed, or handed over */
	bool handed_over; /* from here on the session stage logs */
	const char *end; /* why it ended before that, for the log */
	bool relayed; /* a session stage holds the other end of "session" */
	int session;
	int64_t errors;
	int64_t refused;
	/* the word that the session stage's first answer begins with, or "" */
	const char *tag;
};

/* A certificate and the like, under the names of the program's settings. */
struct login_tls_settings {
	struct tls_files files;
	const char *protocols, *ciphers;
	const char *command; /* "STARTTLS": for the log */
};

/* A login stage's program; what all of them have in common is filled in. */
struct login_program {
	const char *program;
	struct login_stage *stage;
	const struct param_group *group; /* its own settings */
	void *settings;
	void (*before)(const struct service *s); /* calls login_setup */
	/* A client, in a task: calls login_serve with the program's struct. */
	void (*session)(const struct service *s, int fd);
};

/* main() of it. */
int login_main(const struct login_program *program, int argc, char **argv);
/*
 * From before(): the TLS context, and the counters of clients. Without a
 * certificate there is no TLS, which with TLS from the first byte is fatal.
 */
void login_setup(struct login_stage *stage, const struct service *s,
    const struct login_tls_settings *tls);
/*
 * A client from greeting to end; to be run in a task. Takes the descriptor.
 * The caller has set nothing but l->stage.
 */
void login_serve(struct login *l, int fd);

/* May a password be sent now? */
static inline bool
login_plaintext_allowed(const struct login *l)
{
	return l->secure || !l->stage->params->disable_plaintext_auth;
}

/* May TLS begin now? */
static inline bool
login_tls_offered(const struct login *l)
{
	return !l->secure && l->stage->tls != NULL;
}

/*
 * The server's part of STARTTLS. What was sent in clear behind the command,
 * maybe by somebody in between, is thrown away before the first byte of TLS.
 * "answer" is the line that lets the client begin, "command" the name for the
 * log. False: no TLS, all is over.
 */
bool login_start_tls(struct login *l, const char *command, const char *answer);
/* Ends the dialogue: logs which limit, which the caller has told. */
void login_too_many(struct login *l, const char *what, const char *setting);
/*
 * Is this the first word of a line of HTTP? Then the dialogue ends, logged:
 * what follows would be commands that somebody made a browser send
 * (CVE-2021-3618).
 */
bool login_is_http(struct login *l, struct span word);
/* How reading failed, as l->end. */
void login_broken(struct login *l, enum io result);

/* "PLAIN LOGIN" as auth offers them now; "" when it cannot be asked. */
const char *login_mechanisms(const struct login *l);
/* A name and a password. Answers the client. "method": for the log. */
void login_password(struct login *l, const char *method, struct span user,
    struct span password);
/* A SASL exchange. "initial": base 64, or p NULL. Answers the client. */
void
login_exchange(struct login *l, struct span mechanism, struct span initial);

/* Gives the client to its session stage, whose words follow. */
void login_hand_over(struct login *l, const char *ticket, const char *method);

/*
 * Moves bytes between the client's TLS stream and the session's socket until
 * one of them ends or nothing has moved for too long. NULL when the session
 * ended, or the client in good order; else why, for the log.
 */
const char *relay_run(struct stream *client, int session, int64_t idle_ms);

#endif
