/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_SERVICE_H
#define LIB_SERVICE_SERVICE_H

/*
 * The skeleton of every program that master runs. It owns arguments,
 * settings, listening descriptors, drop of rights, sandbox, watchdog, reload
 * and exit; the program brings a struct service_spec.
 *
 * What a program is, who it runs as and whom it may talk to is its row in
 * programs.def, not in the spec.
 *
 * Order of life: settings filled -> arguments -> before() with the rights
 * master has -> rights dropped, confined -> after() -> "ready" to master ->
 * sessions, requests or triggers -> retire -> exit.
 *
 * Programs that own or read the queue have queue_directory as working
 * directory and use names relative to it.
 */

#include "lib/conf/conf.h"
#include "lib/ipc/ipc.h"
#include "lib/net/address.h"

struct service {
	const char *name; /* in master.cf: "smtp", "submission", "relay" */
	const char *type; /* "inet", "unix" */
	const char *program; /* "smtpd" */
	/*
	 * What master.cf calls the program; differs where one of ours does the
	 * work of several: "virtual", "pipe", "lmtp". Part of the log tag.
	 */
	const char *command;
	struct conf *conf;
	unsigned int generation;
	bool separated; /* started by root: rights really differ */
	int64_t maxproc; /* sessions for task programs */
};

enum service_style {
	/*
	 * Each connection is a task that runs session(); sessions are bounded
	 * by maxproc.
	 */
	SERVICE_TASKS,
	/* One connection at a time: session() in the main line, blocking. */
	SERVICE_ONE,
	/*
	 * Many connections, one request at a time: request() is called when a
	 * frame is readable, and must answer it before it returns.
	 */
	SERVICE_REQUESTS,
	/* No connections from the skeleton's hands; run() is the program. */
	SERVICE_OWN,
};

struct service_params {
	const struct param_group *group;
	void *into; /* its struct */
};

struct service_spec {
	const char *program;
	enum service_style style;
	const struct service_params *params; /* group NULL at the end */
	/*
	 * SERVICE_TASKS: the first process does not end for want of work, as
	 * with SERVICE_REQUESTS: its answers are waited for.
	 */
	bool stays;
	/* for SERVICE_REQUESTS, and checked for what may be said */
	const struct ipc_protocol *protocol;

	/* master.cf arguments that are not -o or -v; NULL: none are allowed */
	void (*arguments)(const struct service *s, int argc, char **argv);
	void (*before)(const struct service *s);
	void (*after)(const struct service *s);
	/*
	 * Owns the descriptor (non-blocking, close-on-exec). In SERVICE_TASKS
	 * the task is cancelled when the program must end now.
	 */
	void (*session)(const struct service *s, int fd);
	/*
	 * SERVICE_ONE: called when there is no session, and once more at the
	 * end; when next at the latest, in clock_ms().
	 */
	int64_t (*idle)(void);
	/* False: close this connection. *state starts NULL; closed() frees it
	 */
	bool (*request)(const struct service *s, struct ipc *c, void **state);
	void (*closed)(const struct service *s, void *state);
	/*
	 * A wakeup of master.cf, or somebody wrote a byte to the socket. With
	 * SERVICE_OWN and no run(), the skeleton waits for these.
	 */
	void (*trigger)(const struct service *s);
	/* reload: this generation ends; stop what runs in the background */
	void (*retire)(const struct service *s);
	void (*run)(const struct service *s);
};

/*
 * From before(): what this process needs beyond its row in programs.def,
 * because of its settings (a table that a server serves). Words of
 * lib/sandbox/sandbox.h, static.
 */
void service_promise_too(const char *promises);

/* The whole of a program's main. */
int service_run(const struct service_spec *spec, int argc, char **argv);

/*
 * A connection to another service, by its name in master.cf, from master;
 * -1 with a log line when it is not to be had. Non-blocking, close-on-exec.
 */
int service_connect(const char *service, int64_t deadline);
/* Why the last one failed; valid until this task waits. */
const char *service_connect_why(void);

/*
 * Pooled connections. service_ask gives one that is idle and alive or a new
 * one, for a dialogue; NULL when none is to be had. Give it back with
 * service_done: ok means it ended between two dialogues and can be used
 * again (for a few seconds), else it is closed.
 */
struct ipc *service_ask(const char *service,
    const struct ipc_protocol *protocol, int64_t deadline);
void service_done(const char *service, struct ipc **c, bool ok);
/*
 * As service_ask, but always a new connection: for callers whose request was
 * lost with one that had waited.
 */
struct ipc *service_ask_anew(const char *service,
    const struct ipc_protocol *protocol, int64_t deadline);
/*
 * As service_ask, but does not look whether an idle connection is still alive:
 * for callers who ask once more, with service_ask or service_ask_anew, when
 * their first message finds it closed (IPC_CLOSED).
 */
struct ipc *service_ask_at_once(const char *service,
    const struct ipc_protocol *protocol, int64_t deadline);

/*
 * One question over a pooled connection, which may be asked again: its answer,
 * which lives until the caller gives *c back with service_done(); NULL, with
 * *c NULL and a log line, when there is none.
 *
 * A process that ends, or is killed, costs nobody an answer: who was not heard,
 * or whose question was declined, asks the next one. A question that was heard
 * by a process that then ended without a word may be the reason, and is asked
 * once more only.
 */
struct service_question {
	const struct ipc_message *kind;
	const void *asked;
	const struct ipc_message *answer; /* NULL: of service_question_any */
};
const void *
service_question(const char *service, const struct ipc_protocol *protocol,
    const struct service_question *q, int64_t deadline, struct ipc **c);
/*
 * After one without an answer, until this task waits: had a process read it?
 * Then it was that one's to answer in time.
 */
bool service_question_read(void);
/* The same where several answers are possible: *came says which it is. */
const void *service_question_any(const char *service,
    const struct ipc_protocol *protocol, const struct service_question *q,
    int64_t deadline, struct ipc **c, const struct ipc_message **came);
/* The same by no connection that has waited. */
const void *
service_question_anew(const char *service, const struct ipc_protocol *protocol,
    const struct service_question *q, int64_t deadline, struct ipc **c);

/*
 * SERVICE_TASKS, SERVICE_REQUESTS: no connection is accepted any more; those
 * that come now are for another process, which master starts. This one ends
 * with its last session, or connection. What is still read of them is theirs
 * to limit.
 */
void service_leave(void);

/*
 * SERVICE_ONE, for a session that serves one request after the other: waits
 * for the next one. False when the session is to end: the deadline has come,
 * this generation retires, or others wait for a process of this service, and
 * this peer has been quiet, or has had its turn. What the peer has sent before
 * it could know is still served: nothing it could send is lost.
 */
bool service_next(struct ipc *c, int64_t deadline);

/*
 * From before(): what master gives to this program, and not to all, behind its
 * listeners; the caller's. Programs with TLS get their certificates
 * (tls_kept.h), keyd the memory for tickets as well (ticket_root.h).
 */
enum service_descriptor { SERVICE_CERTIFICATES, SERVICE_TICKETS };
int service_own_descriptor(enum service_descriptor which);
/*
 * From before(): files of certificates and keys are what master keeps of them,
 * until tls_kept_drop(). fatal() when that is damaged.
 */
void service_certificates(void);

/* SERVICE_OWN: the listeners master gave, in the order of master.cf. */
size_t service_listeners(const int **fds);
/*
 * SERVICE_OWN: run() calls one of these when it is set up and serves. The first
 * is for programs that then call task_loop(): it starts the task that hears
 * master (and calls retire()). The second is for all others.
 */
void service_ready(void);
void service_ready_without_tasks(void);
/* Is this generation retiring? Long loops ask. */
bool service_retiring(void);
/*
 * SERVICE_ONE, between two requests of one connection: false when this
 * generation is retiring. Asks the kernel only now and then; a session that
 * goes on a moment longer than it must does no harm.
 */
bool service_goes_on(void);
/* Has master said to end within seconds (stop, not reload)? */
bool service_ending(void);
/*
 * SERVICE_OWN without tasks: to be polled beside its own descriptors; when
 * readable (or at its end), ask service_retiring.
 */
int service_control_fd(void);

/*
 * SERVICE_REQUESTS, from before() or after(): calls ready() whenever the
 * descriptor (a signalfd, say) is readable, between two requests. One at most.
 */
void service_watch(int fd, void (*ready)(void));

/* Sessions of this service now, in all its processes. */
unsigned int service_all_sessions(void);

#endif
