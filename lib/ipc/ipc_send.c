/* SPDX-License-Identifier: ISC */
#include "lib/ipc/ipc_connection.h"

#include <errno.h>
#include <string.h>

#include "lib/base/ensure.h"

void
ipc_put(struct ipc *c, const struct ipc_message *m, const void *message)
{
	struct ipc_fault fault;

	ensure(c->magic == IPC_MAGIC);
	if (!c->broken && !ipc_encode(m, message, &c->out, &c->out_fds, &fault))
		(void)ipc_refuse(c, "%s", fault.text);
}

void
ipc_put_chunk(struct ipc *c, const void *data, size_t n)
{
	char head[IPC_HEAD];

	ensure(n <= IPC_CHUNK_MAX);
	if (c->broken)
		return;
	ipc_set_u32(head, (uint32_t)n);
	buf_add(&c->out, head, sizeof(head));
	buf_add(&c->out, data, n);
	if (c->out.overflow)
		(void)ipc_refuse(c, "too much content before a flush");
}

static void
attach_fds(struct msghdr *mh, union ipc_control *control,
    const struct ipc_fds *fds)
{
	struct cmsghdr *h;

	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(sizeof(int) * fds->n);
	memset(control, 0, mh->msg_controllen);
	h = CMSG_FIRSTHDR(mh);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * fds->n);
	memcpy(CMSG_DATA(h), fds->fd, sizeof(int) * fds->n);
}

/* Descriptors leave with the first byte; a short write has sent them all. */
static ssize_t
send_some(struct ipc *c, size_t from)
{
	struct iovec iov = { c->out.p + from, c->out.n - from };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union ipc_control control;
	ssize_t done;

	if (c->out_fds.n > 0)
		attach_fds(&mh, &control, &c->out_fds);
	do
		done = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	if (done > 0) {
		c->out_fds.n = 0;
		c->hello = 0;
	}
	return done;
}

enum ipc_result
ipc_from_wait(enum wait_result r)
{
	if (r == WAIT_CANCELLED)
		return IPC_CANCELLED;
	return r == WAIT_TIMEOUT ? IPC_TIMEOUT : IPC_OK;
}

/* Both mean that the peer has not read all that was sent: see unix(7). */
enum ipc_result
ipc_from_errno(struct ipc *c)
{
	if (errno != EPIPE && errno != ECONNRESET)
		return IPC_ERROR;
	c->unheard = true;
	return IPC_CLOSED;
}

static void
out_empty(struct ipc *c)
{
	c->out_fds.n = 0;
	if (c->out.room > IPC_ROOM_KEEP)
		buf_fini(&c->out);
	else
		buf_reset(&c->out);
}

enum ipc_result
ipc_flush(struct ipc *c, int64_t deadline)
{
	enum ipc_result r = IPC_OK;
	size_t sent = 0;
	ssize_t done;

	while (!c->broken && sent < c->out.n) {
		done = send_some(c, sent);
		if (done >= 0) {
			sent += (size_t)done;
			continue;
		}
		if (errno == EAGAIN && c->never_wait)
			break;
		r = errno == EAGAIN ?
		    ipc_from_wait(wait_fd(c->fd, WAIT_WRITE, deadline)) :
		    ipc_from_errno(c);
		if (r != IPC_OK)
			break;
	}
	if (c->broken)
		return IPC_BROKEN;
	if (sent == c->out.n || r == IPC_CLOSED)
		out_empty(c);
	else
		buf_drop(&c->out, sent);
	return r;
}

void
ipc_never_wait_to_send(struct ipc *c)
{
	c->never_wait = true;
}

bool
ipc_pending(const struct ipc *c)
{
	return c->out.n > c->hello;
}

enum ipc_result
ipc_send(struct ipc *c, const struct ipc_message *m, const void *message,
    int64_t deadline)
{
	ipc_put(c, m, message);
	return ipc_flush(c, deadline);
}

/*
 * A frame that went out in part must be finished: the rest stays in the
 * buffer, and the message is not forgotten.
 */
enum ipc_result
ipc_send_now(struct ipc *c, const struct ipc_message *m, const void *message)
{
	size_t before = c->out.n, fds_before = c->out_fds.n;
	ssize_t done;

	ipc_put(c, m, message);
	if (c->broken)
		return IPC_BROKEN;
	done = send_some(c, 0);
	if (done <= 0) {
		/* not a number that may soon be another descriptor's */
		c->out.n = before;
		c->out_fds.n = fds_before;
		return done == 0 || errno == EAGAIN ? IPC_TIMEOUT :
						      ipc_from_errno(c);
	}
	buf_drop(&c->out, (size_t)done);
	return IPC_OK;
}
