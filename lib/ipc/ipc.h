/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_IPC_H
#define LIB_IPC_IPC_H

/*
 * Messages between programs, over UNIX stream sockets. What may be said is
 * in the protocol .def files of this folder; one encoder and one decoder
 * serve them all.
 *
 * On the wire a frame is: u32 length of what follows; u8 length and text of
 * the message name; then each field: u8 length and text of its name, u8 type,
 * u32 length, bytes. Numbers are big-endian. A list is a field whose bytes
 * are u32 count and then, for each item, u32 length and the item's fields.
 * Descriptors travel beside the frame (SCM_RIGHTS), in field order.
 * Every field of the message is present, in any order; a missing, unknown,
 * repeated, over-long or ill-typed one ends the connection with a log line
 * that names it (IPC_BROKEN).
 *
 * master begins each connection that it makes for a program with an
 * "introduction", which says for which (ipc_caller).
 *
 * The first frame each side sends is "hello" with protocol name and version
 * (written and checked by ipc_new and the first receive; it shares the
 * packet of the first message).
 *
 * Content streams as raw chunks (u32 length, bytes) after the frame that
 * announces it, ended by a chunk of length 0. In the place of a message a
 * length of 0 says that the last one is not answered here (ipc_decline).
 *
 * Works inside tasks and, with poll(2), outside.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/mem.h"
#include "lib/base/span.h"

enum ipc_type {
	IPC_TEXT, /* const char *, no NUL inside, never NULL */
	IPC_U64, /* uint64_t */
	IPC_BOOL, /* bool */
	IPC_BYTES, /* struct span, into the connection's own room */
	IPC_FD, /* int; owned by the receiver once received; -1 not allowed */
	IPC_LIST, /* struct ipc_list of another message's structs */
};

struct ipc_list {
	void *items; /* array of count structs of the item's type */
	size_t count;
};

struct ipc_field {
	const char *name;
	enum ipc_type type;
	uint64_t limit; /* bytes, or the largest number, or the most items */
	size_t offset; /* in the struct */
	const struct ipc_message *item; /* for lists */
	const char *meaning;
};

struct ipc_message {
	const char *name;
	size_t size; /* of the struct */
	const struct ipc_field *fields;
	size_t count;
	const char *meaning;
};

struct ipc_protocol {
	const char *name;
	unsigned int version;
	const struct ipc_message *const *messages; /* NULL at the end */
	const char *meaning;
};

enum ipc_result {
	IPC_OK,
	IPC_CLOSED, /* by the peer, between frames */
	IPC_TIMEOUT,
	IPC_BROKEN, /* not the protocol; logged */
	IPC_ERROR, /* errno */
	IPC_CANCELLED,
};

struct ipc;

/* Takes the descriptor over (made non-blocking). "peer": for log lines. */
struct ipc *
ipc_new(int fd, const struct ipc_protocol *protocol, const char *peer);
void ipc_free(struct ipc **c); /* closes; NULL is fine */
int ipc_fd(const struct ipc *c);
const char *ipc_peer(const struct ipc *c);
const struct ipc_protocol *ipc_protocol(const struct ipc *c);

/*
 * Encodes into the output buffer; leaves at the next flush or receive.
 * Descriptors stay the caller's, open until then. A NULL text is sent as an
 * empty one. A value beyond its limit breaks the connection (logged), and
 * the next flush says so.
 */
void ipc_put(struct ipc *c, const struct ipc_message *m, const void *message);
enum ipc_result ipc_flush(struct ipc *c, int64_t deadline);
/* put and flush. */
enum ipc_result ipc_send(struct ipc *c, const struct ipc_message *m,
    const void *message, int64_t deadline);
/*
 * For programs that serve many: from now on a flush never waits. What the
 * peer does not take stays in the buffer (64 MiB at most, then the connection
 * is broken), the flush says IPC_OK all the same, and ipc_pending says true
 * until a later flush has sent it.
 */
void ipc_never_wait_to_send(struct ipc *c);
bool ipc_pending(const struct ipc *c);
/*
 * No message that comes is to be larger than so many bytes; else it is as if
 * it were larger than any may be.
 */
void ipc_allow(struct ipc *c, size_t most);
/*
 * Sends without waiting: IPC_TIMEOUT when the socket's buffer is full, and
 * the message is forgotten (unless its first bytes are on their way: then the
 * rest leaves with the next call).
 */
enum ipc_result
ipc_send_now(struct ipc *c, const struct ipc_message *m, const void *message);

/*
 * The next message. *m says which; *message points to its struct, whose texts
 * and lists live until the next receive on this connection. Its bytes
 * (IPC_BYTES) are not copied: they live until the next receive, poll or rest.
 * Descriptors in it belong to the caller.
 */
enum ipc_result ipc_receive(struct ipc *c, const struct ipc_message **m,
    const void **message, int64_t deadline);
/* The same, when only this message is right; another one is IPC_BROKEN. */
enum ipc_result ipc_expect(struct ipc *c, const struct ipc_message *m,
    const void **message, int64_t deadline);
/*
 * Reads what has come, without waiting: IPC_OK when a whole message is here
 * and ipc_receive will not wait, IPC_TIMEOUT when not yet.
 */
enum ipc_result ipc_poll(struct ipc *c);
/*
 * The same after a message of that readiness: nothing is asked of the kernel
 * when the last read took all there was. For callers whom a level-triggered
 * epoll tells of what came since.
 */
enum ipc_result ipc_poll_again(struct ipc *c);
/* Is a whole or partial frame already in our buffer? */
bool ipc_buffered(const struct ipc *c);
/* Has the peer ever said anything? A new connection's has not. */
bool ipc_greeted(const struct ipc *c);
/* For an idle pooled connection: has the peer closed it? No wait. */
bool ipc_stale(struct ipc *c);
/*
 * After IPC_CLOSED: did the peer end, or refuse to read on (shutdown(2)),
 * before it had read all of what was sent last, or decline it? Then it did
 * nothing with it.
 */
bool ipc_unheard(const struct ipc *c);
/* Has it read all that was sent, so far? False where that cannot be told. */
bool ipc_taken(const struct ipc *c);
/*
 * For who has read a question, and sees that another process is to answer it:
 * tells the peer that it is as good as unheard, in the place of the answer.
 * What was put since the question was read is forgotten; what was put before
 * must have been flushed. The connection is of no more use.
 */
void ipc_decline(struct ipc *c);

/*
 * Raw content. A chunk is 1 to IPC_CHUNK_MAX bytes; n = 0 ends it. Flush now
 * and then: at most 64 MiB wait. A chunk lives until the next receive.
 */
enum { IPC_CHUNK_MAX = 65536 };
void ipc_put_chunk(struct ipc *c, const void *data, size_t n);
enum ipc_result
ipc_receive_chunk(struct ipc *c, struct span *chunk, int64_t deadline);

/*
 * For which program of programs.def master made this connection, told by
 * master before the program had it; "" when root, or our own user, came by
 * itself (tools, tests); NULL when somebody else did. For servers, as soon as
 * ipc_introduced.
 */
const char *ipc_caller(const struct ipc *c);
/*
 * The name of its service in master.cf; "" where ipc_caller has none, or where
 * it is longer than any should be.
 */
const char *ipc_caller_service(const struct ipc *c);
/*
 * Has its introduction or its hello been read, by ipc_poll for instance? What
 * master made it for cannot keep the first of them back.
 */
bool ipc_introduced(const struct ipc *c);
/* master's part. False: the socket does not take it. */
bool ipc_introduce(int fd, const char *program, const char *service);

/*
 * Overwrites what messages that were sent and received have left in the
 * connection's memory, for a process that forks others; the last one received
 * is gone with it. What has not been sent, or read, stays.
 */
void ipc_wipe(struct ipc *c);
/*
 * For a connection that is set aside: gives back the room for messages, however
 * large it has become. What is not sent or read stays, and so does the last
 * message that was received, but for its bytes.
 */
void ipc_rest(struct ipc *c);

/* Closes the descriptors of a message that nobody wants. */
void ipc_close_fds(const struct ipc_message *m, const void *message);

/* Ends the connection's use: logs "peer: protocol error: ..." */
enum ipc_result ipc_refuse(struct ipc *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Every protocol of the suite; NULL at the end. For tests and the manual. */
extern const struct ipc_protocol *const ipc_protocols[];

const char *ipc_result_text(enum ipc_result r);

#endif
