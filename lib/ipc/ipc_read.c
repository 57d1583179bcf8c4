/* SPDX-License-Identifier: ISC */
#include "lib/ipc/ipc_connection.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

size_t
ipc_have(const struct ipc *c)
{
	return c->in.end - c->in.start;
}

void
ipc_close_received(struct ipc *c)
{
	while (c->in_fds.n > 0)
		close(c->in_fds.fd[--c->in_fds.n]);
}

/* False: more descriptors than anybody may send. */
static bool
keep_fds(struct ipc *c, struct msghdr *mh)
{
	bool fit = (mh->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(mh); h != NULL;
	     h = CMSG_NXTHDR(mh, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int),
			    sizeof(int));
			if (c->in_fds.n < IPC_FDS_MAX) {
				c->in_fds.fd[c->in_fds.n++] = fd;
			} else {
				close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

/*
 * A short read means that there is no more, or that the rest begins with
 * descriptors; then the next wait is over at once.
 */
enum ipc_result
ipc_read(struct ipc *c)
{
	struct iovec iov;
	union ipc_control control;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	ipc_input_room(&c->in);
	iov.iov_base = c->in.p + c->in.end;
	iov.iov_len = c->in.room - c->in.end;
	mh.msg_control = control.bytes;
	mh.msg_controllen = sizeof(control.bytes);
	do
		got = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	c->drained = got < (ssize_t)iov.iov_len;
	if (got < 0)
		return errno == EAGAIN ? IPC_TIMEOUT : ipc_from_errno(c);
	if (!keep_fds(c, &mh))
		return ipc_refuse(c,
		    "descriptors were lost: too many, or too many open files");
	if (got == 0)
		return IPC_CLOSED;
	c->in.end += (size_t)got;
	if (c->in.end > c->in.touched)
		c->in.touched = c->in.end;
	return IPC_OK;
}

/*
 * IPC_OK may also mean that nothing came. Who has nothing else to do waits in
 * poll(2) all the same, not in recvmsg(2): there the kernel would wake it up
 * when the peer reads what was sent before as well, for nothing.
 */
static enum ipc_result
wait_and_read(struct ipc *c, int64_t deadline)
{
	enum ipc_result r;

	/* a larger one would be made anew for each large message */
	ipc_input_rest(&c->in, IPC_ROOM_FIRST);
	r = ipc_from_wait(wait_fd(c->fd, WAIT_READ, deadline));
	if (r != IPC_OK)
		return r;
	r = ipc_read(c);
	return r == IPC_TIMEOUT ? IPC_OK : r;
}

enum ipc_result
ipc_want(struct ipc *c, size_t n, bool wait_first, int64_t deadline)
{
	enum ipc_result r;

	while (ipc_have(c) < n) {
		r = wait_first || c->drained ? IPC_TIMEOUT : ipc_read(c);
		wait_first = false;
		if (r == IPC_TIMEOUT)
			r = wait_and_read(c, deadline);
		if (r == IPC_CLOSED && ipc_have(c) > 0)
			return ipc_refuse(c, "closed within a message");
		if (r != IPC_OK)
			return r;
	}
	return IPC_OK;
}
