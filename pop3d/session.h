/* SPDX-License-Identifier: ISC */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

/*
 * The session stage: what happens after the login. The parent is root and
 * keeps one process per user; that process has become the user, and serves
 * all connections of that user, each in a task.
 */

#include "lib/conf/common.h"
#include "lib/ipc/proto_session.h"
#include "lib/net/stream.h"
#include "lib/store/store.h"

#define PARAM_GROUP pop3d
#define PARAM_DEF "pop3d/params.def"
#include "lib/conf/param.h"

struct session_settings {
	struct common_params common;
	struct pop3d_params pop3;
	bool separated; /* rights differ: children become the user */
	const struct sandbox_filter *filter; /* what children promise */
	unsigned int mbox_locks; /* of lib/store/mbox_lock.h */
	int64_t mbox_stale_s; /* age at which others' lock files go */
};

struct session_owner {
	const char *user;
	const char *mail; /* "maildir:/path", "mbox:/path" */
	uint64_t uid;
	uint64_t gid;
};

/* What a user's process is given; -1: not for this kind of mailbox. */
struct session_fds {
	int parent;
	int keeper; /* mbox_keeper.h */
	int journal;
};

/*
 * A user's process, just forked: gives up all rights but the user's, serves
 * the connections that come through the descriptor, and exits when there is
 * none any more. Never returns.
 */
_Noreturn void session_child(const struct session_settings *settings,
    const struct session_owner *owner, const struct session_fds *fds);
/*
 * To the directory, as its owner goes there; still as root. fatal() where the
 * owner could not.
 */
void session_enter(const struct session_settings *settings,
    const struct session_owner *owner, const char *path);

/* One connection's TRANSACTION state; to be run in a task. */
struct pop3_client {
	struct pop3_client *next; /* of the same process */
	const struct session_settings *settings;
	const char *mail; /* as this process sees it */
	struct mbox_access *mbox; /* or NULL */
	char *user;
	char *id;
	char *client;
	char *method;
	char *tls;
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
