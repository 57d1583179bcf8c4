/* SPDX-License-Identifier: ISC */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

/*
 * POP3 behind the login: what is beside lib/login/session_stage.h.
 */

#include "lib/login/session_stage.h"
#include "lib/store/store.h"

#define PARAM_GROUP pop3d
#define PARAM_DEF "pop3d/params.def"
#include "lib/conf/param.h"

struct session_settings {
	struct session_stage stage;
	struct pop3d_params pop3;
};

/* One connection's TRANSACTION state; to be run in a task. */
struct pop3_client {
	const struct session_settings *settings;
	const char *mail; /* as this process sees it */
	bool mail_exists;
	struct mbox_access *mbox; /* or NULL */
	const char *user, *behind, *id, *client, *method, *tls;
	struct stream *io;
};

void dialogue_run(struct pop3_client *c);

/* What a session has done, for its last log line. */
struct pop3_counts {
	uint64_t retrieved;
	uint64_t bytes;
	uint64_t deleted;
};

/*
 * Sends a message's text: dot-stuffed, with CRLF line ends, ended by the line
 * with a dot. "lines": of the body, behind the header (TOP); UINT64_MAX for
 * all. *sent grows by what went out.
 */
enum io send_message(struct stream *io, struct store_blob *blob, uint64_t lines,
    uint64_t *sent);

#endif
