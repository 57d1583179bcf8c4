/* SPDX-License-Identifier: ISC */
#include "tools/flush_request.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/net/connect.h"
#include "lib/task/task.h"

enum { CONNECT_S = 10, ANSWER_S = 60, AGAIN_MS = 100 };

/* An end without an answer is IPC_CLOSED, however it shows. */
static enum ipc_result
ask_once(const struct msg_flush *m, int fd, int64_t deadline)
{
	struct ipc *c = ipc_new(fd, &protocol_qmgr, "qmgr");
	enum ipc_result r = ipc_send(c, &message_flush, m, deadline);
	const void *answer;

	if (r == IPC_OK)
		r = ipc_expect(c, &message_flush_noted, &answer, deadline);
	if (r == IPC_ERROR && (errno == ECONNRESET || errno == EPIPE))
		r = IPC_CLOSED;
	ipc_free(&c);
	return r;
}

static int
failed(int error)
{
	errno = error;
	return -1;
}

int
flush_request(const char *id, const char *site)
{
	const struct msg_flush m = { .queue_id = id, .site = site };
	int64_t deadline = clock_in(ANSWER_S);

	for (;;) {
		int fd = connect_unix("public/qmgr", clock_in(CONNECT_S));
		enum ipc_result r;

		if (fd < 0)
			return -1;
		r = ask_once(&m, fd, deadline);
		if (r == IPC_OK)
			return 0;
		if (r == IPC_TIMEOUT || clock_ms() >= deadline)
			return failed(ETIMEDOUT);
		if (r != IPC_CLOSED)
			return failed(EPROTO);
		(void)wait_until(clock_ms() + AGAIN_MS);
	}
}
