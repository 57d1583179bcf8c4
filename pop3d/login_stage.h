/* SPDX-License-Identifier: ISC */
#ifndef POP3D_LOGIN_STAGE_H
#define POP3D_LOGIN_STAGE_H

/*
 * The login stage's view of one client: from the greeting until it has
 * proven who it is.
 */

#include "lib/base/buf.h"
#include "lib/conf/common.h"
#include "lib/net/address.h"
#include "lib/net/stream.h"
#include "lib/queue/queue_file.h"
#include "lib/service/client_counts.h"
#include "lib/tls/tls.h"
#include "pop3d/command.h"

#define PARAM_GROUP pop3d
#define PARAM_DEF "pop3d/params.def"
#include "lib/conf/param.h"

struct login_stage {
	const struct common_params *common;
	const struct pop3d_params *params;
	struct tls_context *tls; /* NULL: none to be had */
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
	char *user; /* said with USER */
};

/* May a password be sent now? */
bool login_plaintext_allowed(const struct login_stage *s);
/* Runs one command; false when the keyword is unknown. */
bool login_command(struct login_stage *s, const struct command *c);

/* "PLAIN LOGIN" as auth offers them now; "" when it cannot be asked. */
const char *login_mechanisms(bool tls);
/* USER and PASS. Answers the client. */
void login_password(struct login_stage *s, struct span password);
/* AUTH. "initial": base 64, or p NULL. Answers the client. */
void login_exchange(struct login_stage *s, struct span mechanism,
    struct span initial);

/* Gives the client to its session stage, whose words follow. */
void
login_hand_over(struct login_stage *s, const char *ticket, const char *method);

/*
 * Moves bytes between the client's TLS stream and the session's socket until
 * one of them ends or nothing has moved for too long. NULL when the session
 * ended, or the client in good order; else why, for the log.
 */
const char *relay_run(struct stream *client, int session, int64_t idle_ms);

#endif
