/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: reads bytes of programs that hear strangers. Nothing is believed:
 * each length is checked against what is there before it is used, memory
 * is allotted only for items whose bytes have arrived, and every failure
 * ends the connection.
 */
#include "lib/ipc/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"

struct decoder {
	const struct ipc_source *from;
	struct ipc_fault *fault;
	size_t taken; /* descriptors */
};

struct wire_field {
	struct span name;
	unsigned int type;
	struct span value;
};

__attribute__((format(printf, 2, 3))) static bool
wrong(struct decoder *d, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(d->fault->text, sizeof(d->fault->text), format, ap);
	va_end(ap);
	return false;
}

static bool
take(struct span *rest, size_t n, struct span *part)
{
	if (n > rest->n)
		return false;
	*part = span_take(*rest, n);
	*rest = span_skip(*rest, n);
	return true;
}

static bool
take_u32(struct span *rest, uint32_t *v)
{
	struct span part;

	if (!take(rest, 4, &part))
		return false;
	*v = ipc_get_u32(part.p);
	return true;
}

static bool
take_name(struct span *rest, struct span *name)
{
	struct span length;

	return take(rest, 1, &length) &&
	    take(rest, (unsigned char)length.p[0], name);
}

static bool
take_field(struct span *rest, struct wire_field *w)
{
	struct span type;
	uint32_t n;

	if (!take_name(rest, &w->name) || !take(rest, 1, &type) ||
	    !take_u32(rest, &n))
		return false;
	w->type = (unsigned char)type.p[0];
	return take(rest, n, &w->value);
}

/* Fields mostly come in the table's order: look there first. */
static size_t
field_index(const struct ipc_message *m, struct span name, size_t guess)
{
	if (guess < m->count && span_is(name, m->fields[guess].name))
		return guess;
	for (size_t i = 0; i < m->count; i++)
		if (span_is(name, m->fields[i].name))
			return i;
	return m->count;
}

static bool decode_fields(struct decoder *d, const struct ipc_message *m,
    struct span rest, char *base);

/* The fewest bytes that an item can have on the wire, with its length. */
static size_t
least_size(const struct ipc_message *m)
{
	size_t n = 4;

	for (size_t i = 0; i < m->count; i++)
		n += 1 + strlen(m->fields[i].name) + 1 + 4;
	return n;
}

static bool
decode_list(struct decoder *d, const struct ipc_field *f, struct span rest,
    struct ipc_list *list)
{
	struct span item;
	uint32_t count, n;
	char *base;

	if (!take_u32(&rest, &count))
		return wrong(d, "list %s is cut short", f->name);
	if (count > f->limit)
		return wrong(d, "list %s is too long", f->name);
	if (count > rest.n / least_size(f->item))
		return wrong(d, "list %s is cut short", f->name);
	base = arena_alloc(d->from->arena, count * f->item->size);
	list->items = base;
	list->count = count;
	for (; count > 0; count--, base += f->item->size) {
		if (!take_u32(&rest, &n) || !take(&rest, n, &item))
			return wrong(d, "list %s is cut short", f->name);
		if (!decode_fields(d, f->item, item, base))
			return false;
	}
	if (rest.n > 0)
		return wrong(d, "list %s has bytes left over", f->name);
	return true;
}

static bool
decode_text(struct decoder *d, const struct ipc_field *f, struct span value,
    const char **text)
{
	if (value.n > f->limit)
		return wrong(d, "field %s is too long", f->name);
	if (value.n > 0 && memchr(value.p, '\0', value.n) != NULL)
		return wrong(d, "field %s holds a NUL", f->name);
	*text = arena_span(d->from->arena, value);
	return true;
}

static bool
decode_u64(struct decoder *d, const struct ipc_field *f, struct span value,
    uint64_t *number)
{
	uint64_t v;

	if (value.n != 8)
		return wrong(d, "field %s is no number", f->name);
	v = (uint64_t)ipc_get_u32(value.p) << 32 | ipc_get_u32(value.p + 4);
	if (v > f->limit)
		return wrong(d, "field %s is too large", f->name);
	*number = v;
	return true;
}

static bool
decode_bool(struct decoder *d, const struct ipc_field *f, struct span value,
    bool *yes)
{
	if (value.n != 1 || (value.p[0] != 0 && value.p[0] != 1))
		return wrong(d, "field %s is neither yes nor no", f->name);
	*yes = value.p[0] == 1;
	return true;
}

static bool
decode_fd(struct decoder *d, const struct ipc_field *f, struct span value,
    int *fd)
{
	if (value.n != 0 || d->taken == d->from->fds->n)
		return wrong(d, "field %s comes without its descriptor",
		    f->name);
	*fd = d->from->fds->fd[d->taken++];
	return true;
}

static bool
decode_value(struct decoder *d, const struct ipc_field *f, struct span value,
    void *to)
{
	switch (f->type) {
	case IPC_TEXT:
		return decode_text(d, f, value, to);
	case IPC_U64:
		return decode_u64(d, f, value, to);
	case IPC_BOOL:
		return decode_bool(d, f, value, to);
	case IPC_BYTES:
		if (value.n > f->limit)
			return wrong(d, "field %s is too long", f->name);
		*(struct span *)to = value;
		return true;
	case IPC_FD:
		return decode_fd(d, f, value, to);
	case IPC_LIST:
		return decode_list(d, f, value, to);
	}
	unreachable();
}

static bool
decode_fields(struct decoder *d, const struct ipc_message *m, struct span rest,
    char *base)
{
	struct wire_field w;
	uint64_t seen = 0;
	size_t have = 0, i;

	ensure(m->count <= 64);
	for (; rest.n > 0; have++) {
		if (!take_field(&rest, &w))
			return wrong(d, "%s is cut short", m->name);
		i = field_index(m, w.name, have);
		if (i == m->count)
			return wrong(d, "%s has no field %.*s", m->name,
			    SPAN_ARG(span_take(w.name, 64)));
		if (seen & (uint64_t)1 << i)
			return wrong(d, "%s has field %s twice", m->name,
			    m->fields[i].name);
		seen |= (uint64_t)1 << i;
		if (w.type != m->fields[i].type)
			return wrong(d, "%s: field %s is of another type",
			    m->name, m->fields[i].name);
		if (!decode_value(d, &m->fields[i], w.value,
			base + m->fields[i].offset))
			return false;
	}
	for (i = 0; have < m->count && i < m->count; i++)
		if (!(seen & (uint64_t)1 << i))
			return wrong(d, "%s lacks field %s", m->name,
			    m->fields[i].name);
	return true;
}

static const struct ipc_message *
find_message(const struct ipc_message *const *messages, struct span name)
{
	for (; *messages != NULL; messages++)
		if (span_is(name, (*messages)->name))
			return *messages;
	return NULL;
}

bool
ipc_decode(const struct ipc_source *from, const struct ipc_message **m,
    void **message, size_t *taken, struct ipc_fault *fault)
{
	struct decoder d = { .from = from, .fault = fault };
	struct span rest = from->body, name;
	const struct ipc_message *found;
	void *base;

	if (!take_name(&rest, &name))
		return wrong(&d, "message is cut short");
	found = find_message(from->messages, name);
	if (found == NULL)
		return wrong(&d, "unknown message %.*s",
		    SPAN_ARG(span_take(name, 64)));
	base = arena_alloc(from->arena, found->size);
	if (!decode_fields(&d, found, rest, base))
		return false;
	*m = found;
	*message = base;
	*taken = d.taken;
	return true;
}

void
ipc_close_fds(const struct ipc_message *m, const void *message)
{
	const char *base = message;

	for (size_t i = 0; i < m->count; i++) {
		const struct ipc_field *f = &m->fields[i];
		const struct ipc_list *list;

		if (f->type == IPC_FD)
			close(*(const int *)(const void *)(base + f->offset));
		if (f->type != IPC_LIST)
			continue;
		list = (const void *)(base + f->offset);
		for (size_t k = 0; k < list->count; k++)
			ipc_close_fds(f->item,
			    (const char *)list->items + k * f->item->size);
	}
}
