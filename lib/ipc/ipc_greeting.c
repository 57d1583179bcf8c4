/* SPDX-License-Identifier: ISC */
/*
 * What is said on a connection before the messages of its protocol: a "hello"
 * from each side, and before that master's introduction.
 */
#include "lib/ipc/ipc_connection.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"

struct hello {
	const char *protocol;
	uint64_t version;
};

static const struct ipc_field hello_fields[] = {
	{ .name = "protocol",
	    .type = IPC_TEXT,
	    .limit = 32,
	    .offset = offsetof(struct hello, protocol),
	    .meaning = "name" },
	{ .name = "version",
	    .type = IPC_U64,
	    .limit = UINT32_MAX,
	    .offset = offsetof(struct hello, version),
	    .meaning = "number" },
};

static const struct ipc_message hello_message = {
	.name = "hello",
	.size = sizeof(struct hello),
	.fields = hello_fields,
	.count = 2,
	.meaning = "first frame of each side",
};

struct introduction {
	const char *program;
	const char *service;
};

static const struct ipc_field introduction_fields[] = {
	{ .name = "program",
	    .type = IPC_TEXT,
	    .limit = IPC_CALLER_MAX - 1,
	    .offset = offsetof(struct introduction, program),
	    .meaning = "whom the connection is for" },
	{ .name = "service",
	    .type = IPC_TEXT,
	    .limit = IPC_CALLER_SERVICE_MAX - 1,
	    .offset = offsetof(struct introduction, service),
	    .meaning = "its name in master.cf" },
};

static const struct ipc_message introduction_message = {
	.name = "introduction",
	.size = sizeof(struct introduction),
	.fields = introduction_fields,
	.count = 2,
	.meaning = "master, before it hands the connection out",
};

const struct ipc_message *const ipc_greetings[] = { &hello_message,
	&introduction_message, NULL };

void
ipc_put_hello(struct ipc *c)
{
	struct hello hello = { c->protocol->name, c->protocol->version };

	ipc_put(c, &hello_message, &hello);
	c->hello = c->out.n;
}

/* Who opened the connection: nobody but master is root (or is us). */
static bool
made_by_master(const struct ipc *c)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid());
}

static enum ipc_result
take_introduction(struct ipc *c, const struct introduction *i)
{
	if (c->caller[0] != '\0' || i->program[0] == '\0' || !made_by_master(c))
		return ipc_refuse(c, "an introduction that is not master's");
	snprintf(c->caller, sizeof(c->caller), "%s", i->program);
	snprintf(c->caller_service, sizeof(c->caller_service), "%s",
	    i->service);
	return IPC_OK;
}

static enum ipc_result
take_hello(struct ipc *c, const struct hello *hello)
{
	if (strcmp(hello->protocol, c->protocol->name) != 0 ||
	    hello->version != c->protocol->version)
		return ipc_refuse(c, "it speaks %s %u, we speak %s %u",
		    hello->protocol, (unsigned int)hello->version,
		    c->protocol->name, c->protocol->version);
	c->greeted = true;
	return IPC_OK;
}

enum ipc_result
ipc_take_greeting(struct ipc *c, const struct ipc_message *m,
    const void *message)
{
	return m == &introduction_message ? take_introduction(c, message) :
					    take_hello(c, message);
}

bool
ipc_introduced(const struct ipc *c)
{
	return c->greeted || c->caller[0] != '\0';
}

const char *
ipc_caller(const struct ipc *c)
{
	ensure(ipc_introduced(c));
	if (c->caller[0] == '\0' && !made_by_master(c))
		return NULL;
	return c->caller;
}

const char *
ipc_caller_service(const struct ipc *c)
{
	return c->caller_service;
}

bool
ipc_introduce(int fd, const char *program, const char *service)
{
	struct introduction i = { program,
		strlen(service) < IPC_CALLER_SERVICE_MAX ? service : "" };
	struct buf b = BUF_INIT(1024);
	struct ipc_fds none = { .n = 0 };
	struct ipc_fault fault;
	bool sent = ipc_encode(&introduction_message, &i, &b, &none, &fault) &&
	    send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)b.n;

	buf_fini(&b);
	return sent;
}
