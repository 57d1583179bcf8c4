/* SPDX-License-Identifier: ISC */
#include "tests/unit/smtpd/fake_services.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/log/log.h"
#include "lib/mail/resolve.h"
#include "lib/task/task.h"
#include "smtpd/config.h"
#include "smtpd/limits.h"
#include "smtpd/session.h"

struct fake_message fake_last;
size_t fake_resolve_questions;
enum verdict fake_cleanup_verdict;
bool fake_cleanup_dies;
bool fake_scratch_refused;
bool fake_lookup_down;

enum { DEADLINE_S = 60, ADDRESSES = 200 };

static struct msg_resolved_item
resolved(const char *address)
{
	struct msg_resolved_item r = { .verdict = OK,
		.dsn = "",
		.text = "",
		.class = CLASS_DEFAULT,
		.address = address,
		.final = true,
		.transport = "smtp",
		.nexthop = "elsewhere" };

	if (strncmp(address, "later@", 6) == 0)
		r.verdict = LATER;
	if (strstr(address, "@example.test") == NULL)
		return r;
	r.class = CLASS_VIRTUAL_MAILBOX;
	r.transport = "virtual";
	if (strncmp(address, "unknown@", 8) == 0) {
		r.verdict = NEVER;
		r.dsn = "5.1.1";
		r.text = "User unknown in virtual mailbox table";
	}
	return r;
}

static void
answer_resolve(struct ipc *c, const struct msg_resolve *q)
{
	const struct msg_address_item *asked = q->recipients.items;
	struct msg_resolved_item items[ADDRESSES];
	struct msg_resolve_reply reply;

	ensure(q->recipients.count <= ADDRESSES);
	fake_resolve_questions++;
	for (size_t i = 0; i < q->recipients.count; i++)
		items[i] = resolved(asked[i].address);
	reply.results.items = items;
	reply.results.count = q->recipients.count;
	ipc_send(c, &message_resolve_reply, &reply, clock_in(DEADLINE_S));
}

/* "fake:key=value" */
static void
answer_query(struct ipc *c, const struct msg_query *q)
{
	const struct msg_key_item *keys = q->keys.items;
	struct msg_query_reply reply = { .result = TABLE_NONE, .value = "" };
	const char *row =
	    strncmp(q->table, "fake:", 5) == 0 ? q->table + 5 : "=";
	size_t n = strcspn(row, "=");

	for (size_t i = 0; i < q->keys.count; i++)
		if (strlen(keys[i].key) == n &&
		    strncmp(keys[i].key, row, n) == 0) {
			reply.result = TABLE_FOUND;
			reply.value = row + n + 1;
			break;
		}
	if (strcmp(q->table, "fake:down") == 0)
		reply.result = TABLE_AGAIN;
	ipc_send(c, &message_query_reply, &reply, clock_in(DEADLINE_S));
}

static void
run_lookup(void *argument)
{
	struct ipc *c = argument;
	const struct ipc_message *m;
	const void *message;

	while (!fake_lookup_down &&
	    ipc_receive(c, &m, &message, clock_in(DEADLINE_S)) == IPC_OK) {
		if (m == &message_resolve)
			answer_resolve(c, message);
		else
			answer_query(c, message);
	}
	ipc_free(&c);
}

static bool
take_content(struct ipc *c)
{
	struct span chunk;

	do {
		if (ipc_receive_chunk(c, &chunk, clock_in(DEADLINE_S)) !=
			IPC_OK ||
		    fake_cleanup_dies)
			return false;
		buf_add_span(&fake_last.content, chunk);
	} while (chunk.n > 0);
	return true;
}

static void
keep(const struct msg_submit *s)
{
	const struct msg_submit_recipient *r = s->recipients.items;

	snprintf(fake_last.sender, sizeof(fake_last.sender), "%s", s->sender);
	buf_reset(&fake_last.recipients);
	buf_reset(&fake_last.trace);
	buf_add_text(&fake_last.trace, s->trace);
	for (size_t i = 0; i < s->recipients.count; i++)
		buf_printf(&fake_last.recipients, "%s ", r[i].address);
}

/* What lies in the file comes first. */
static void
take_scratch(const struct msg_submit_scratch *m)
{
	char *p = buf_reserve(&fake_last.content, m->size);

	ensure(p != NULL && fd_pread_all(m->file, p, m->size, 0) == 0);
	buf_added(&fake_last.content, m->size);
	ensure(ftruncate(m->file, 0) == 0);
	close(m->file);
}

static void
give_scratch(struct ipc *c)
{
	struct msg_no_scratch no = { "4.3.1", "Insufficient system storage" };
	struct msg_scratch scratch = { .file = memfd_create("scratch", 0) };

	if (fake_scratch_refused)
		ipc_send(c, &message_no_scratch, &no, clock_in(DEADLINE_S));
	else
		ipc_send(c, &message_scratch, &scratch, clock_in(DEADLINE_S));
	close(scratch.file);
}

static void
answer_submit(struct ipc *c, size_t size)
{
	struct msg_submit_result result = { .dsn = "",
		.text = "",
		.queue_id = "" };

	ensure(size == fake_last.content.n);
	result.verdict = fake_cleanup_verdict;
	if (result.verdict == OK)
		fake_last.count++;
	else
		result.dsn = result.verdict == LATER ? "4.3.1" : "5.4.0";
	result.text = result.verdict == OK ? "" :
	    result.verdict == LATER        ? "Insufficient system storage" :
					     "Error: too many hops";
	ipc_send(c, &message_submit_result, &result, clock_in(DEADLINE_S));
}

static void
run_cleanup(void *argument)
{
	struct ipc *c = argument;
	const struct ipc_message *m;
	const void *message;

	while (ipc_receive(c, &m, &message, clock_in(DEADLINE_S)) == IPC_OK) {
		if (m == &message_scratch_wanted) {
			give_scratch(c);
			continue;
		}
		buf_reset(&fake_last.content);
		if (m == &message_submit_scratch) {
			take_scratch(message);
			ensure(ipc_expect(c, &message_submit, &message,
				   clock_in(DEADLINE_S)) == IPC_OK);
		}
		keep(message);
		if (!take_content(c) ||
		    ipc_expect(c, &message_submit_end, &message,
			clock_in(DEADLINE_S)) != IPC_OK)
			break;
		answer_submit(c,
		    ((const struct msg_submit_end *)message)->size);
	}
	ipc_free(&c);
}

static bool
check_plain(struct span data)
{
	return span_equal(data, SPAN("\0bob\0posthaste"));
}

static void
answer_authenticate(struct ipc *c, const struct msg_authenticate *q)
{
	struct msg_challenge challenge = { .data = SPAN("") };
	struct msg_authenticated end = { .verdict = NEVER,
		.user = "",
		.ticket = "",
		.text = "authentication failure" };
	const void *message;
	const struct msg_response *r;
	bool good = q->has_initial && check_plain(q->initial);

	if (!q->has_initial) {
		ipc_send(c, &message_challenge, &challenge,
		    clock_in(DEADLINE_S));
		if (ipc_expect(c, &message_response, &message,
			clock_in(DEADLINE_S)) != IPC_OK)
			return;
		r = message;
		good = !r->cancel && check_plain(r->data);
	}
	if (good) {
		end.verdict = OK;
		end.user = "bob@example.test";
		end.text = "";
	}
	ipc_send(c, &message_authenticated, &end, clock_in(DEADLINE_S));
}

static void
run_auth(void *argument)
{
	struct msg_mechanisms_reply mechanisms = { .names = "PLAIN LOGIN" };
	struct ipc *c = argument;
	const struct ipc_message *m;
	const void *message;

	while (ipc_receive(c, &m, &message, clock_in(DEADLINE_S)) == IPC_OK) {
		if (m == &message_mechanisms)
			ipc_send(c, &message_mechanisms_reply, &mechanisms,
			    clock_in(DEADLINE_S));
		else if (m == &message_authenticate)
			answer_authenticate(c, message);
		else
			break;
	}
	ipc_free(&c);
}

struct ipc *
service_ask(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	int pair[2];
	struct ipc *theirs;

	(void)deadline;
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	theirs = ipc_new(pair[1], protocol, "smtpd");
	ensure(task_start(strcmp(service, "lookup") == 0 ? run_lookup :
		       strcmp(service, "cleanup") == 0   ? run_cleanup :
							   run_auth,
		   theirs) != NULL);
	return ipc_new(pair[0], protocol, service);
}

struct ipc *
service_ask_at_once(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	return service_ask(service, protocol, deadline);
}

/* There is no certificate. */
void
service_certificates(void)
{
}

struct ipc *
service_ask_anew(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	return service_ask(service, protocol, deadline);
}

void
service_done(const char *service, struct ipc **c, bool ok)
{
	(void)service;
	(void)ok;
	ipc_free(c);
}

const struct service *
fake_service(const char *main_cf)
{
	static struct service s = { .name = "smtp",
		.type = "inet",
		.program = "smtpd" };
	char folder[] = "/tmp/smtpd-test-XXXXXX";
	struct buf errors = BUF_INIT(65536);
	char *path;
	FILE *f;

	ensure(mkdtemp(folder) != NULL);
	path = mem_printf("%s/main.cf", folder);
	f = fopen(path, "w");
	ensure(f != NULL);
	fprintf(f,
	    "compatibility_level = 3.9\nmyhostname = mx.test\n"
	    "smtpd_peername_lookup = no\nmynetworks = 127.0.0.0/8\n"
	    "smtpd_error_sleep_time = 0\n%s",
	    main_cf);
	fclose(f);
	s.conf = conf_read(folder, &errors, NULL);
	ensure(s.conf != NULL);
	unlink(path);
	rmdir(folder);
	free(path);
	for (const struct service_params *p = smtpd_service_params;
	     p->group != NULL; p++)
		ensure(conf_fill(s.conf, p->group, p->into, &errors));
	buf_fini(&errors);
	smtpd_config_load(&s);
	limits_open("", s.name);
	buf_init(&fake_last.recipients, 1 << 20);
	buf_init(&fake_last.content, 1 << 26);
	buf_init(&fake_last.trace, 1 << 16);
	return &s;
}

struct dialogue {
	const struct service *service;
	int server;
	int out; /* the client's descriptor, twice: one task each */
	int in;
	struct span bytes;
	size_t step;
	struct buf said;
};

static void
serve(void *argument)
{
	struct dialogue *d = argument;

	session_run(d->service, d->server);
}

static void
speak(void *argument)
{
	struct dialogue *d = argument;

	while (d->bytes.n > 0 &&
	    wait_fd(d->out, WAIT_WRITE, clock_in(DEADLINE_S)) == WAIT_READY) {
		struct span part = span_take(d->bytes, d->step);
		ssize_t n = send(d->out, part.p, part.n, MSG_NOSIGNAL);

		if (n < 0)
			break;
		d->bytes = span_skip(d->bytes, (size_t)n);
		wait_yield();
	}
	shutdown(d->out, SHUT_WR);
	wait_forget(d->out);
	fd_close(&d->out);
}

static void
hear(void *argument)
{
	struct dialogue *d = argument;
	char bytes[4096];
	ssize_t n = 1;

	while (n > 0 &&
	    wait_fd(d->in, WAIT_READ, clock_in(DEADLINE_S)) == WAIT_READY) {
		n = recv(d->in, bytes, sizeof(bytes), 0);
		if (n > 0)
			buf_add(&d->said, bytes, (size_t)n);
	}
	wait_forget(d->in);
	fd_close(&d->in);
}

const char *
fake_session(const struct service *s, const void *bytes, size_t n, size_t step)
{
	static struct dialogue d;
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fd_nonblocking(pair[0], true);
	fd_nonblocking(pair[1], true);
	buf_fini(&d.said);
	d = (struct dialogue){ s, pair[0], pair[1], dup(pair[1]), { bytes, n },
		step ? step : n + 1, BUF_INIT(1 << 24) };
	ensure(d.in >= 0);
	ensure(task_start(serve, &d) && task_start(speak, &d) &&
	    task_start(hear, &d));
	task_loop();
	return buf_text(&d.said);
}
