/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/made_message.h"

enum {
	VALUE = 100, /* longest text */
	ITEMS = 3, /* most of a list */
};

const struct ipc_message *
made_choose(const struct ipc_message *const *messages, size_t i)
{
	size_t count = 0;

	while (messages[count] != NULL)
		count++;
	return messages[i % count];
}

struct span
made_part(struct span *in, size_t n)
{
	struct span p = span_take(*in, n);

	*in = span_skip(*in, p.n);
	return p;
}

static uint64_t
number(struct span *in, uint64_t limit)
{
	struct span bytes = made_part(in,
	    1 + 7 * (in->n > 0 && ((unsigned char)in->p[0] & 0x80) != 0));
	uint64_t v = 0;

	for (size_t i = 0; i < bytes.n; i++)
		v = v << 8 | (unsigned char)bytes.p[i];
	return limit == UINT64_MAX ? v : v % (limit + 1);
}

static void fill(struct arena *a, const struct ipc_message *m, int fd,
    char *base, struct span *in);

static void
fill_list(struct arena *a, const struct ipc_field *f, int fd,
    struct ipc_list *list, struct span *in)
{
	char *items;

	list->count = number(in, f->limit < ITEMS ? f->limit : ITEMS);
	list->items = items = arena_alloc(a, list->count * f->item->size + 1);
	for (size_t i = 0; i < list->count; i++)
		fill(a, f->item, fd, items + i * f->item->size, in);
}

static void
fill_field(struct arena *a, const struct ipc_field *f, int fd, void *to,
    struct span *in)
{
	uint64_t most = f->limit < VALUE ? f->limit : VALUE;

	switch (f->type) {
	case IPC_TEXT:
		*(const char **)to =
		    arena_span(a, made_part(in, number(in, most)));
		break;
	case IPC_U64:
		*(uint64_t *)to = number(in, f->limit);
		break;
	case IPC_BOOL:
		*(bool *)to = number(in, 1) == 1;
		break;
	case IPC_BYTES:
		*(struct span *)to = made_part(in, number(in, most));
		break;
	case IPC_FD:
		*(int *)to = fd;
		break;
	case IPC_LIST:
		fill_list(a, f, fd, to, in);
		break;
	}
}

static void
fill(struct arena *a, const struct ipc_message *m, int fd, char *base,
    struct span *in)
{
	for (size_t i = 0; i < m->count; i++)
		fill_field(a, &m->fields[i], fd, base + m->fields[i].offset,
		    in);
}

void *
made_message(struct arena *a, const struct ipc_message *m, int fd,
    struct span *in)
{
	char *made = arena_alloc(a, m->size + 1);

	fill(a, m, fd, made, in);
	return made;
}
