/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_SESSION_STAGE_H
#define LIB_LOGIN_SESSION_STAGE_H

/*
 * The session stage: what happens after the login, whatever is spoken. The
 * parent is root and keeps one process per user; that process has become the
 * user, and serves all connections of that user, each in a task.
 *
 * The parent is a program of SERVICE_REQUESTS, the processes are forked from
 * it. A program fills one struct session_stage.
 */

#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_session.h"
#include "lib/net/stream.h"
#include "lib/service/service.h"

#define PARAM_GROUP login
#define PARAM_DEF "lib/login/params.def"
#include "lib/conf/param.h"

struct session_owner {
	const char *user;
	const char *mail; /* "maildir:/path", "mbox:/path" */
	uint64_t uid;
	uint64_t gid;
	uint64_t quota_bytes; /* 0: any amount; when its process begins */
	uint64_t quota_messages;
};

/* Descriptors that a user's process is given; -1: not for this one. */
enum {
	SESSION_PARENT, /* its connection to the parent */
	SESSION_FD_1, /* what the program wants */
	SESSION_FD_2,
	SESSION_FDS,
};

/* One connection, in the user's process. */
struct session_client {
	struct session_client *next; /* of the same process */
	struct stream *io;
	const char *user; /* these live as long as the client */
	const char *behind; /* log lines say it behind the user's name */
	const char *id;
	const char *client;
	const char *method;
	const char *tls; /* "" : none */
	const char *tag;
	struct span state; /* it was parked: its words then; else empty */
	bool stay; /* it could not be kept: not to be parked again soon */
	bool parked; /* it has been: the process has no connection any more */
};

struct session_stage {
	const char *service; /* "imap": whose tickets */
	const char *program; /* "imapd-session" */
	const char *tag; /* "imapd": of log lines */
	const char *promises; /* of a user's process */
	const char *no_session; /* a line, behind the tag if there is one */
	int64_t linger_ms; /* such a process stays so long for the next one */
	struct session_params {
		struct common_params common;
		struct login_params login;
	} settings;
	bool separated; /* rights differ: processes become the user */
	bool sharing; /* users may see mail of others: session_shares.h */
	const struct sandbox_filter *filter; /* the promises */
	int listeners; /* the first one's number, and how many follow */
	size_t listener_count;

	/*
	 * In the parent, as root; forks the user's process (session_fork),
	 * and whatever it needs beside it: *companion is that one's pid. The
	 * process's pid, or -1 with a log line.
	 */
	pid_t (*start)(const struct session_owner *owner, int *ours,
	    pid_t *companion);
	/* In the process: enters its directory, and becomes the user. */
	void (*enter)(const struct session_owner *owner);
	/* Behind all that, once: confined. May be NULL. */
	void (*ready)(const struct session_owner *owner);
	/* A connection; in a task. */
	void (*serve)(struct session_client *c);
	/* The line for a session that is one too many. */
	void (*refuse)(struct session_client *c);
	/* The process has no connection any more and ends. May be NULL. */
	void (*leave)(void);

	/*
	 * Where connections are parked, what the parent says to them; else
	 * NULL.
	 */
	const char *still_here;
	const char *bye_timeout;
	const char *bye_stop;
	const char *bye_broken; /* they cannot be taken up again */
	const char *bye_changed; /* the account is not what it was */
};

/*
 * main() of such a program. "more": its own settings, group NULL at the end,
 * SESSION_SETTINGS_MAX at most; "before" reads what else it needs, as root
 * and before there is any process of a user. May be NULL.
 */
enum { SESSION_SETTINGS_MAX = 4 };
int session_main(struct session_stage *stage, const struct service_params *more,
    void (*before)(const struct service *s), int argc, char **argv);

/*
 * Forks the user's process; "fds" go with it and stay open here but for
 * SESSION_PARENT, which this makes, its other end being *ours. For start().
 */
pid_t session_fork(const struct session_owner *owner,
    const int fds[SESSION_FDS], int *ours);

/* Numbers of the descriptors in the user's process. */
enum { SESSION_FD_BASE = 3, SESSION_LOG_FD = 4, SESSION_FD_ABOVE = 5 };

/*
 * A user's process, just forked: gives up all rights but the user's, serves
 * the connections that come through the descriptor, and exits when there is
 * none any more. Never returns.
 */
_Noreturn void session_child(const struct session_stage *stage,
    const struct session_owner *owner, const int fds[SESSION_FDS]);

enum { PARKED_STATE_MAX = 1024, SESSION_POINTS_MAX = 128 };

/* A directory, or a file that is replaced or changed as a whole. */
struct session_point {
	int fd; /* O_PATH does; stays the caller's */
	uint64_t changed; /* st_ctim, in nanoseconds */
};

/* How a connection is set aside. */
struct session_parking {
	struct span state; /* at most PARKED_STATE_MAX bytes */
	uint64_t timeout_s; /* 0: never */
	uint64_t keepalive_s; /* 0: none */
	const struct session_point *points; /* whose change wakes it */
	size_t point_count; /* at most SESSION_POINTS_MAX */
};

/*
 * In a task of the user's process: gives the connection to the parent, which
 * keeps it until its client says something or a point changes, and then
 * passes it to the user's process of that time. Nothing may be left to send
 * or to read. True: it is gone, serve() returns without a word. The process
 * may have it back at once (c->stay), when it cannot be kept.
 */
bool session_park(struct session_client *c, const struct session_parking *p);

/*
 * In a task of the user's process, told to the parent: "owner" ("": the user)
 * lets "grantee" see some of his mail, or no more. It may be lost; what is
 * shared is told again by the owner's next process.
 */
void session_share(const char *owner, const char *grantee, bool on);

/*
 * In the user's process, which is not to serve anybody else: connections that
 * come from now on get another one, and this one ends with those it has.
 */
void session_retire(void);

/*
 * Makes the directory, and what is missing above it, as its owner; still as
 * root. False with errno when that is not there then.
 */
bool session_make(const struct session_stage *stage,
    const struct session_owner *owner, const char *path);
/*
 * To the directory, as its owner goes there; still as root. fatal() where the
 * owner could not.
 */
void session_enter(const struct session_stage *stage,
    const struct session_owner *owner, const char *path);
/*
 * In the process, before it becomes the user: another directory that the
 * process may work below, opened as its owner goes there. -1 with *why: not
 * for this user; what lies in it must belong to the very system user that the
 * process is, since a file made by one must be readable by all who share it.
 * A process that was taken over cannot get out of it: ".." leads nowhere
 * (a mount of its own), and Landlock lets it open nothing elsewhere; one of
 * both there must be.
 */
int session_open_other(const struct session_stage *stage,
    const struct session_owner *user, const struct session_owner *owner,
    const char *path, struct why *why);
/*
 * The current directory as root directory, for one who shares the system user
 * with others, and from here on that user. Without root: nothing.
 */
void session_become(const struct session_stage *stage,
    const struct session_owner *owner);

#endif
