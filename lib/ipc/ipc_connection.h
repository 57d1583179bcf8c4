/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_IPC_CONNECTION_H
#define LIB_IPC_IPC_CONNECTION_H

/*
 * Inside of a connection, for the files of this folder alone: its room for
 * what comes, its bytes in and out, and the first words on it.
 */

#include <sys/socket.h>
#include "lib/base/buf.h"
#include "lib/ipc/codec.h"
#include "lib/ipc/ipc.h"
#include "lib/task/task.h"

enum {
	IPC_ROOM_FIRST = 16 * 1024, /* takes a small message in one read */
	IPC_ROOM_KEEP = 128 * 1024, /* more is given back when empty */
	IPC_CALLER_MAX = 64,
	IPC_CALLER_SERVICE_MAX = 256,
	IPC_MAGIC = 0x69706321,
};

struct ipc_input {
	char *p;
	size_t start; /* of what is not yet used */
	size_t end;
	size_t touched; /* nothing was ever written behind it */
	size_t room;
};

/* Gives the room back, without leaving what is in it behind. */
void ipc_input_drop(struct ipc_input *in);
/* Before a wait: the same where it is empty, and not larger than that. */
void ipc_input_rest(struct ipc_input *in, size_t most);
/* Room for one byte more, at least. */
void ipc_input_room(struct ipc_input *in);

struct ipc {
	unsigned int magic;
	int fd;
	const struct ipc_protocol *protocol;
	char *peer;
	struct buf out;
	size_t hello; /* bytes of it in front of "out" */
	struct ipc_fds out_fds;
	struct ipc_input in;
	struct ipc_fds in_fds;
	size_t most; /* bytes of a frame that comes */
	struct arena *arena;
	bool greeted; /* the peer's hello has come */
	char caller[IPC_CALLER_MAX]; /* as master introduced it */
	char caller_service[IPC_CALLER_SERVICE_MAX];
	bool broken;
	bool never_wait; /* to send */
	bool unheard; /* the peer ended before it read all we sent */
	bool drained; /* the last read has taken all there was */
};

/* Of a message with descriptors. */
union ipc_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

/* What a wait came to, and a call that failed with errno. */
enum ipc_result ipc_from_wait(enum wait_result r);
enum ipc_result ipc_from_errno(struct ipc *c);

/* Bytes that have come and are not used. */
size_t ipc_have(const struct ipc *c);
/* Reads what is there; IPC_TIMEOUT when that is nothing. */
enum ipc_result ipc_read(struct ipc *c);
/* At least n unused bytes in the buffer; fewer are no good end. */
enum ipc_result
ipc_want(struct ipc *c, size_t n, bool wait_first, int64_t deadline);
/* Those that no message has announced so far. */
void ipc_close_received(struct ipc *c);

/* What may come before the messages of the protocol. */
extern const struct ipc_message *const ipc_greetings[];
void ipc_put_hello(struct ipc *c);
/* One of them has come. */
enum ipc_result ipc_take_greeting(struct ipc *c, const struct ipc_message *m,
    const void *message);

#endif
