/* SPDX-License-Identifier: ISC */
/*
 * The frame decoder: the first byte chooses the protocol, the second how many
 * descriptors came with any bytes; or, from 128 on, one of its messages, with
 * values from the input, of which the last bytes are changes to the frame. What
 * decodes must encode again, to a frame of the same size.
 */
#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/ipc/codec.h"
#include "tests/fuzz/made_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MADE = 128 /* second byte of what is no raw frame */ };

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

/* As this message comes, before and after somebody has changed bytes of it. */
static void
decode_changed(struct ipc_source *from, const struct ipc_message *m,
    struct span in)
{
	struct buf frame = BUF_INIT(IPC_FRAME_MAX + 64);
	struct ipc_fds fds = { .n = 0 };
	void *made = made_message(from->arena, m, 0, &in);
	const struct ipc_message *found;
	struct ipc_fault fault;
	void *message;
	size_t taken;

	ensure(ipc_encode(m, made, &frame, &fds, &fault));
	from->fds = &fds;
	from->body = span_skip(buf_span(&frame), IPC_HEAD);
	ensure(ipc_decode(from, &found, &message, &taken, &fault));
	ensure(found == m && taken == fds.n);
	encode_again(m, message, from->body.n);
	for (; in.n >= 3; in = span_skip(in, 3))
		frame.p[IPC_HEAD +
		    ((unsigned char)in.p[0] << 8 | (unsigned char)in.p[1]) %
			from->body.n] = in.p[2];
	if (ipc_decode(from, &found, &message, &taken, &fault))
		encode_again(found, message, from->body.n);
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
	if (data[1] >= MADE)
		decode_changed(&from,
		    made_choose(from.messages, data[1] - MADE), from.body);
	else if (ipc_decode(&from, &m, &message, &taken, &fault))
		encode_again(m, message, from.body.n);
	arena_free(&from.arena);
	return 0;
}
