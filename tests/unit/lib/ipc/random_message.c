/* SPDX-License-Identifier: ISC */
#include "tests/unit/lib/ipc/random_message.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
random_u64(void)
{
	return (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^
	    (uint64_t)random();
}

static uint64_t
random_number(uint64_t limit)
{
	if (random() % 4 == 0)
		return limit;
	return limit == UINT64_MAX ? random_u64() : random_u64() % (limit + 1);
}

static size_t
random_length(const struct ipc_field *f, size_t most)
{
	size_t limit = f->limit < most ? (size_t)f->limit : most;

	return random() % 8 == 0 ? limit : random_u64() % (limit + 1);
}

static char *
random_bytes(struct arena *a, size_t n, bool text)
{
	char *p = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(text ? 1 + random() % 255 : random());
	return p;
}

static struct ipc_list
random_list(struct arena *a, const struct ipc_field *f, size_t most)
{
	struct ipc_list list = { .count = (size_t)random() % 5 };
	char *to;

	list.items = to = arena_alloc(a, list.count * f->item->size);
	for (size_t i = 0; i < list.count; i++, to += f->item->size)
		memcpy(to, random_message(a, f->item, -1, most), f->item->size);
	return list;
}

void *
random_message(struct arena *a, const struct ipc_message *m, int fd,
    size_t most)
{
	char *base = arena_alloc(a, m->size);

	for (size_t i = 0; i < m->count; i++) {
		const struct ipc_field *f = &m->fields[i];
		void *to = base + f->offset;
		size_t n;

		switch (f->type) {
		case IPC_TEXT:
			n = random_length(f, most);
			*(const char **)to = random_bytes(a, n, true);
			break;
		case IPC_BYTES:
			n = random_length(f, most);
			*(struct span *)to =
			    (struct span){ random_bytes(a, n, false), n };
			break;
		case IPC_U64:
			*(uint64_t *)to = random_number(f->limit);
			break;
		case IPC_BOOL:
			*(bool *)to = random() % 2;
			break;
		case IPC_FD:
			*(int *)to = fd;
			break;
		case IPC_LIST:
			*(struct ipc_list *)to = random_list(a, f, most);
			break;
		}
	}
	return base;
}

static void
assert_field_equal(const struct ipc_field *f, const void *a, const void *b)
{
	const struct ipc_list *la = a, *lb = b;
	const struct span *sa = a, *sb = b;

	switch (f->type) {
	case IPC_TEXT:
		assert_string_equal(*(const char *const *)a,
		    *(const char *const *)b);
		break;
	case IPC_BYTES:
		assert_true(span_equal(*sa, *sb));
		break;
	case IPC_U64:
		assert_true(*(const uint64_t *)a == *(const uint64_t *)b);
		break;
	case IPC_BOOL:
		assert_int_equal(*(const bool *)a, *(const bool *)b);
		break;
	case IPC_FD:
		break;
	case IPC_LIST:
		assert_int_equal(la->count, lb->count);
		for (size_t i = 0; i < la->count; i++)
			assert_message_equal(f->item,
			    (const char *)la->items + i * f->item->size,
			    (const char *)lb->items + i * f->item->size);
		break;
	}
}

void
assert_message_equal(const struct ipc_message *m, const void *a, const void *b)
{
	for (size_t i = 0; i < m->count; i++)
		assert_field_equal(&m->fields[i],
		    (const char *)a + m->fields[i].offset,
		    (const char *)b + m->fields[i].offset);
}
