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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MADE = 128, /* second byte of what is no raw frame */
	VALUE = 100, /* longest text */
	ITEMS = 3, /* most of a list */
};

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

static const struct ipc_message *
choose(const struct ipc_message *const *messages, size_t i)
{
	size_t count = 0;

	while (messages[count] != NULL)
		count++;
	return messages[i % count];
}

static struct span
part(struct span *in, size_t n)
{
	struct span p = span_take(*in, n);

	*in = span_skip(*in, p.n);
	return p;
}

static uint64_t
number(struct span *in, uint64_t limit)
{
	struct span bytes = part(in,
	    1 + 7 * (in->n > 0 && ((unsigned char)in->p[0] & 0x80) != 0));
	uint64_t v = 0;

	for (size_t i = 0; i < bytes.n; i++)
		v = v << 8 | (unsigned char)bytes.p[i];
	return limit == UINT64_MAX ? v : v % (limit + 1);
}

static void
fill(struct arena *a, const struct ipc_message *m, char *base, struct span *in);

static void
fill_list(struct arena *a, const struct ipc_field *f, struct ipc_list *list,
    struct span *in)
{
	char *items;

	list->count = number(in, f->limit < ITEMS ? f->limit : ITEMS);
	list->items = items = arena_alloc(a, list->count * f->item->size + 1);
	for (size_t i = 0; i < list->count; i++)
		fill(a, f->item, items + i * f->item->size, in);
}

static void
fill_field(struct arena *a, const struct ipc_field *f, void *to,
    struct span *in)
{
	uint64_t most = f->limit < VALUE ? f->limit : VALUE;

	switch (f->type) {
	case IPC_TEXT:
		*(const char **)to = arena_span(a, part(in, number(in, most)));
		break;
	case IPC_U64:
		*(uint64_t *)to = number(in, f->limit);
		break;
	case IPC_BOOL:
		*(bool *)to = number(in, 1) == 1;
		break;
	case IPC_BYTES:
		*(struct span *)to = part(in, number(in, most));
		break;
	case IPC_FD:
		*(int *)to = 0;
		break;
	case IPC_LIST:
		fill_list(a, f, to, in);
		break;
	}
}

static void
fill(struct arena *a, const struct ipc_message *m, char *base, struct span *in)
{
	for (size_t i = 0; i < m->count; i++)
		fill_field(a, &m->fields[i], base + m->fields[i].offset, in);
}

/* As this message comes, before and after somebody has changed bytes of it. */
static void
decode_changed(struct ipc_source *from, const struct ipc_message *m,
    struct span in)
{
	struct buf frame = BUF_INIT(IPC_FRAME_MAX + 64);
	struct ipc_fds fds = { .n = 0 };
	char *made = arena_alloc(from->arena, m->size + 1);
	const struct ipc_message *found;
	struct ipc_fault fault;
	void *message;
	size_t taken;

	fill(from->arena, m, made, &in);
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
		decode_changed(&from, choose(from.messages, data[1] - MADE),
		    from.body);
	else if (ipc_decode(&from, &m, &message, &taken, &fault))
		encode_again(m, message, from.body.n);
	arena_free(&from.arena);
	return 0;
}
