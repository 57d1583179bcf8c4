/* SPDX-License-Identifier: ISC */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

/*
 * What runs now: services with their listeners, the processes of each, and
 * the generation of settings they are started with. One struct master lives
 * as long as the process.
 */

#include <ev.h>

#include "lib/ipc/ipc.h"
#include "lib/service/status_page.h"
#include "master/plan.h"

struct master;
struct served;

struct child {
	struct child *next;
	struct served *service;
	const struct program *program; /* what it runs: a reload keeps that */
	pid_t pid;
	size_t slot;
	unsigned int generation;
	int64_t started; /* clock_ms() */
	struct ipc *control; /* NULL when it has closed it */
	ev_io io;
	bool ready;
	bool retiring;
	bool ended; /* by us, for what it said */
};

struct listener {
	struct served *service;
	char *text; /* the endpoint's identity */
	int fd;
	ev_io io;
};

/* handover.c: what a reload has come to, for a service or for all. */
enum handover {
	HANDOVER_NONE, /* nothing is under way */
	HANDOVER_WAITS, /* for the first new process to be ready */
	HANDOVER_FAILED, /* it did not start; the old ones go on */
};

/* A service, from the first generation that has it to its last process. */
struct served {
	struct served *next;
	struct master *master;
	char *key; /* "smtp/inet" */
	char *name; /* "smtp" */
	const struct planned *plan; /* NULL: in no generation any more */
	const struct program *program; /* of the processes to come */
	struct listener *listeners;
	size_t listener_count;
	struct child *children;
	int page_fd;
	struct status_page *page;
	bool used; /* has had a process */
	enum handover handover;
	unsigned int failures; /* in a row, by itself */
	int64_t failed; /* when the last one did */
	bool throttled; /* nothing is started until the timer rings */
	ev_timer throttle;
	ev_timer wakeup;
};

struct master {
	struct ev_loop *loop;
	struct plan *plan;
	struct served *services;
	int log_read;
	int log_write;
	int tickets; /* memory of keyd's, that outlives its processes */
	int out; /* our standard output in the foreground, for logd; or -1 */
	int null;
	bool stopping;
	void (*on_ready)(struct master *m); /* everything that must run does */
	void (*on_failed)(struct master *m, const char *text);
};

/* service.c: services and their processes. */
/* The new plan is in force; its listeners are open (reload.c). */
void service_plan(struct served *s, const struct planned *p);
/* What it failed for is no more. */
void service_unthrottle(struct served *s);
/* Stops watching and closes, unlinks UNIX sockets; those in "but" stay. */
void service_close_listeners(struct served *s, const struct endpoints *but);
void service_add_listener(struct served *s, const struct endpoint *e, int fd);
void service_replace_listener(struct served *s, size_t index, int fd);
bool service_has_listener(const struct served *s, const struct endpoint *e);
struct served *service_find(struct master *m, const char *key);
struct served *service_new(struct master *m, const char *key, const char *name);
/* Removes those that no plan has and no process serves. */
void services_sweep(struct master *m);
/* Decides anew whether to watch the listeners, or to start a process. */
void service_update(struct served *s);
struct child *service_child(struct master *m, pid_t pid);
/* The process is gone. */
void service_child_gone(struct child *c, int status);
bool services_ready(const struct master *m);
size_t services_children(const struct master *m);
size_t service_children(const struct served *s);

/* spawn.c */
/* NULL when it cannot be started now; logged. */
struct child *spawn(struct served *s);

/* broker.c: what children say. */
void broker_watch(struct child *c);
void child_retire(struct child *c, bool now);
void broker_close(struct child *c);

/* handover.c */
/* A new plan is in force: which of the old processes wait for new ones? */
void handover_begin(struct master *m);
void handover_ready(struct child *c);
/* A process of the new generation ended before it was ready. */
void handover_failed(struct child *c);
/* Of all services; *text has a line for each that failed. */
enum handover handover_state(const struct master *m, struct buf *text);

/* reload.c */
/* Lines of what is wrong with the configuration. */
struct complaints {
	struct buf errors;
	struct buf warnings;
};
enum { COMPLAINTS_MAX = 60000 }; /* bytes of each; they fit a message */
void complaints_init(struct complaints *c);
void complaints_fini(struct complaints *c);
/* One by one: log_error or log_warning. */
void log_lines(const struct buf *lines, void (*put)(const char *, ...));

/* False with errors: everything is as it was. */
bool reload(struct master *m, const char *directory, struct complaints *c);
/* The same with its log lines and its word to systemd. */
bool
reload_and_tell(struct master *m, const char *directory, struct complaints *c);
/* Another logd takes over, which opens its file by name. */
void reopen_log(struct master *m);

/* renewal.c */
#define RENEWAL_UNUSABLE \
	"TLS certificates or keys on disk are not usable: the old ones stay " \
	"in use"
/* Its certificates are about to be read. */
void renewal_before_reload(const struct master *m);
/* The plan is in force; what is wrong with the files on disk was said. */
void renewal_new_plan(struct master *m);
/* A set takes another one's place, whose keys are still wanted for a while. */
void renewal_follow(struct tls_kept *new, struct tls_kept **old);
/* Looks for renewed certificates from now on. */
void renewal_start(struct master *m);
/* A process of this service is about to get what is kept. */
void renewal_before_start(struct served *s);

/* mend.c: looks every few seconds whether listeners and log still work. */
void mend_start(struct master *m);

/*
 * take_queue.c: makes the directories, goes there, and takes the lock that
 * only one master has. False with a line in *errors.
 */
bool take_queue(const struct plan *p, struct buf *errors);

/* supervisor.c: the socket for `posthaste`. */
bool
supervisor_open(struct master *m, const char *directory, struct buf *error);
void supervisor_close(void);

/* notify.c: tells systemd, if it started us: "READY=1". */
void notify_systemd(const char *text);

/*
 * stop.c: no new work, everybody ends; those who do not are killed.
 * on_empty is called when nobody is left.
 */
void stop(struct master *m, bool abort_now);
/* A process has ended while stopping. */
void stop_next(struct master *m);

#endif
