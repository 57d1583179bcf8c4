/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_INTERNAL_H
#define LIB_SERVICE_INTERNAL_H

/* What the parts of the skeleton say to each other; for lib/service only. */

#include "lib/service/programs.h"
#include "lib/service/service.h"
#include "lib/service/status_page.h"

/* Descriptors of a program that master starts. */
enum {
	SERVICE_FD_CONTROL = 3,
	SERVICE_FD_LOG = 4,
	SERVICE_FD_SETTINGS = 5,
	SERVICE_FD_STATUS = 6,
	SERVICE_FD_LISTENERS = 7,
	SERVICE_LISTENERS_MAX = 256,
};

/* Whatever runs now: lives as long as the process. */
struct running {
	struct service service;
	const struct service_spec *spec;
	const struct program *program;
	int listeners[SERVICE_LISTENERS_MAX]; /* -1 when closed */
	size_t listener_count;
	bool inet; /* listeners take connections from outside */
	int64_t max_idle_ms;
};

/* arguments.c: what master wrote on the command line. */
struct service_arguments {
	const char *name;
	const char *type;
	const char *command;
	unsigned int generation;
	size_t listeners;
	int64_t maxproc;
	size_t slot;
	bool verbose;
	char **overrides; /* "name=value", NULL at the end */
	int rest_count; /* master.cf arguments */
	char **rest;
};
/* fatal() when master did not write it. */
void
service_arguments_parse(struct service_arguments *a, int argc, char **argv);

/* control.c: the connection to master. */
void control_open(int fd);
/* Called when master says so for the first time, and when it says "now". */
void control_on_retire(void (*call)(void));
void control_ready(unsigned int generation);
void control_full(unsigned int sessions);
/* Reads what master said, without waiting. */
void control_read(void);
/* A task does so, until master is gone or the loop ends. */
void control_start_task(void);
int control_fd(void);
bool control_retiring(void);
bool control_ending_now(void);
bool control_gone(void);

/* slots.c: the status page. */
void slots_open(int fd, size_t slot, unsigned int generation);
void slots_state(enum slot_state state);
void slots_sessions(int delta);
/* Sessions of all processes of the service. */
unsigned int slots_all_sessions(void);
/* Has another process of this generation room for a connection? */
bool slots_other_idle(void);
/* Will master start no more of them? */
bool slots_at_limit(int64_t maxproc);
bool slots_first(void);
/*
 * Is one of this generation idle that is earlier on the page? So of several
 * idle ones one stays: that with the lowest slot, which may be the younger one,
 * since each new process gets the lowest free slot.
 */
bool slots_earlier_idle(void);
/*
 * Sessions of the process of this generation, other than this one, that has
 * the fewest; UINT_MAX when there is none.
 */
unsigned int slots_fewest_elsewhere(void);

/* pool.c: closes what was idle for too long; when to call again, or never. */
int64_t pool_prune(void);
void pool_close(void);

/* rest.c: gives back all memory that is kept for the next session. */
void rest_now(void);
/* For programs without tasks: a while after the last work it is done. */
void rest_after_work(void);
int64_t rest_if_due(void); /* when to call again, or never */
/*
 * Is a process that has been idle since then too many? After max_idle, and
 * after seconds if there is another idle one. *look: when to ask again.
 */
bool rest_too_many(const struct running *r, int64_t since, int64_t *look);

/*
 * watchdog.c: looks after each so many seconds of processor time; the process
 * ends (SIGABRT) when it did not wait once in WATCHDOG_ROUNDS of them.
 */
enum { WATCHDOG_ROUNDS = 5, WATCHDOG_S = 60 };
void watchdog_start(unsigned int seconds);

/* listen.c: connections. */
/* -1: none there now, or an error that was logged. */
int listener_accept(struct running *r, size_t index);
void listener_close(struct running *r, size_t index);
void listeners_close(struct running *r);

/* run_*.c: the styles; they return when the program is to end. */
void run_tasks(struct running *r);
/* service_leave() of the two styles that can. */
void tasks_leave(void);
void requests_leave(void);
void run_one(struct running *r);
void run_requests(struct running *r);
void run_triggers(struct running *r);

#endif
