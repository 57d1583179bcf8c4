/* SPDX-License-Identifier: ISC */
#include "lib/ipc/codec.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/ensure.h"

struct encoder {
	struct buf *out;
	struct ipc_fds *fds;
	struct ipc_fault *fault;
};

uint32_t
ipc_get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	    (uint32_t)u[2] << 8 | (uint32_t)u[3];
}

void
ipc_set_u32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

static bool
encode_fields(struct encoder *e, const struct ipc_message *m, const char *base);

/* The limits of the tables hold for us first. */
static bool
over(struct encoder *e, const struct ipc_message *m, const struct ipc_field *f)
{
	snprintf(e->fault->text, sizeof(e->fault->text),
	    "cannot send %s: %s is beyond its limit of %llu", m->name, f->name,
	    (unsigned long long)f->limit);
	return false;
}

/* A place for a length that is not known yet. */
static size_t
open_length(struct encoder *e)
{
	size_t at = e->out->n;

	buf_add(e->out, "\0\0\0", IPC_HEAD);
	return at;
}

static void
close_length(struct encoder *e, size_t at)
{
	if (!e->out->overflow)
		ipc_set_u32(e->out->p + at,
		    (uint32_t)(e->out->n - at - IPC_HEAD));
}

static void
add_u64(struct encoder *e, uint64_t v)
{
	char bytes[8];

	ipc_set_u32(bytes, (uint32_t)(v >> 32));
	ipc_set_u32(bytes + 4, (uint32_t)v);
	buf_add(e->out, bytes, sizeof(bytes));
}

static bool
encode_text(struct encoder *e, const struct ipc_message *m,
    const struct ipc_field *f, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n > f->limit)
		return over(e, m, f);
	buf_add(e->out, text ? text : "", n);
	return true;
}

static bool
encode_fd(struct encoder *e, const struct ipc_message *m,
    const struct ipc_field *f, int fd)
{
	ensure(fd >= 0);
	if (e->fds->n == IPC_FDS_MAX)
		return over(e, m, f);
	e->fds->fd[e->fds->n++] = fd;
	return true;
}

static bool
encode_list(struct encoder *e, const struct ipc_message *m,
    const struct ipc_field *f, const struct ipc_list *list)
{
	const char *item = list->items;
	char count[4];

	if (list->count > f->limit)
		return over(e, m, f);
	ipc_set_u32(count, (uint32_t)list->count);
	buf_add(e->out, count, sizeof(count));
	for (size_t i = 0; i < list->count; i++, item += f->item->size) {
		size_t at = open_length(e);

		if (!encode_fields(e, f->item, item))
			return false;
		close_length(e, at);
	}
	return true;
}

static bool
encode_bytes(struct encoder *e, const struct ipc_message *m,
    const struct ipc_field *f, const struct span *bytes)
{
	if (bytes->n > f->limit)
		return over(e, m, f);
	buf_add_span(e->out, *bytes);
	return true;
}

static bool
encode_value(struct encoder *e, const struct ipc_message *m,
    const struct ipc_field *f, const void *value)
{
	uint64_t number;

	switch (f->type) {
	case IPC_TEXT:
		return encode_text(e, m, f, *(const char *const *)value);
	case IPC_U64:
		number = *(const uint64_t *)value;
		if (number > f->limit)
			return over(e, m, f);
		add_u64(e, number);
		return true;
	case IPC_BOOL:
		buf_add_char(e->out, *(const bool *)value ? 1 : 0);
		return true;
	case IPC_BYTES:
		return encode_bytes(e, m, f, value);
	case IPC_FD:
		return encode_fd(e, m, f, *(const int *)value);
	case IPC_LIST:
		return encode_list(e, m, f, value);
	}
	unreachable();
}

static void
add_name(struct encoder *e, const char *name)
{
	size_t n = strlen(name);

	ensure(n > 0 && n < 256);
	buf_add_char(e->out, (char)n);
	buf_add(e->out, name, n);
}

static bool
encode_fields(struct encoder *e, const struct ipc_message *m, const char *base)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct ipc_field *f = &m->fields[i];
		size_t at;

		add_name(e, f->name);
		buf_add_char(e->out, (char)f->type);
		at = open_length(e);
		if (!encode_value(e, m, f, base + f->offset))
			return false;
		close_length(e, at);
	}
	return true;
}

bool
ipc_encode(const struct ipc_message *m, const void *message, struct buf *out,
    struct ipc_fds *fds, struct ipc_fault *fault)
{
	struct encoder e = { out, fds, fault };
	size_t start = out->n, start_fds = fds->n;
	size_t at = open_length(&e);

	add_name(&e, m->name);
	if (encode_fields(&e, m, message)) {
		if (!out->overflow && out->n - at <= IPC_HEAD + IPC_FRAME_MAX) {
			close_length(&e, at);
			return true;
		}
		snprintf(fault->text, sizeof(fault->text),
		    "cannot send %s: too large", m->name);
	}
	out->n = start;
	out->overflow = false;
	fds->n = start_fds;
	return false;
}
