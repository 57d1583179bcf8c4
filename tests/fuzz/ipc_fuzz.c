/* SPDX-License-Identifier: ISC */
/*
 * The frame decoder with any bytes: the first chooses the protocol, the
 * second how many descriptors came. What decodes must encode again, and
 * decode to the same frame.
 */
#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/ipc/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode_again(const struct ipc_message *m, const void *message, size_t size)
{
	struct buf frame = BUF_INIT(IPC_FRAME_MAX + 64);
	struct ipc_fds fds = { .n = 0 };
	struct ipc_fault fault;

	ensure(ipc_encode(m, message, &frame, &fds, &fault));
	ensure(frame.n == IPC_HEAD + size);
	buf_fini(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_fds fds = { .n = 0 };
	struct ipc_source from = { .fds = &fds };
	struct ipc_fault fault;
	const struct ipc_message *m;
	size_t protocols = 0, taken;
	void *message;

	if (size < 2)
		return 0;
	while (ipc_protocols[protocols] != NULL)
		protocols++;
	from.messages = ipc_protocols[data[0] % protocols]->messages;
	fds.n = data[1] % 4;
	from.body = (struct span){ (const char *)data + 2, size - 2 };
	from.arena = arena_new();
	if (ipc_decode(&from, &m, &message, &taken, &fault))
		encode_again(m, message, from.body.n);
	arena_free(&from.arena);
	return 0;
}
