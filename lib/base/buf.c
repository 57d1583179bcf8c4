/* SPDX-License-Identifier: ISC */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

/* No object is larger, whatever the maximum; so twice the room is a size. */
#define LARGEST ((size_t)PTRDIFF_MAX)

void
buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflow = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t room = b->room ? b->room : 128;

	if (n > b->max - b->n || n >= LARGEST - b->n) {
		b->overflow = true;
		return NULL;
	}
	while (room < b->n + n + 1)
		room *= 2;
	if (room > b->room) {
		b->p = mem_resize(b->p, room);
		b->room = room;
	}
	return b->p + b->n;
}

void
buf_added(struct buf *b, size_t n)
{
	ensure(b->n + n < b->room);
	b->n += n;
	b->p[b->n] = '\0';
}

bool
buf_add(struct buf *b, const void *data, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL)
		return false;
	if (n > 0)
		memcpy(to, data, n);
	buf_added(b, n);
	return true;
}

bool
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.n);
}

bool
buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

bool
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool
buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

/* Mostly there is room, and one pass does it. */
bool
buf_printf(struct buf *b, const char *format, ...)
{
	size_t room, allowed = b->max - b->n;
	va_list ap;
	char *to;
	int n;

	if (b->room == 0)
		(void)buf_reserve(b, 0);
	room = b->room - b->n;
	va_start(ap, format);
	n = vsnprintf(b->p + b->n, room, format, ap);
	va_end(ap);
	ensure(n >= 0);
	if ((size_t)n < room && (size_t)n <= allowed) {
		b->n += (size_t)n;
		return true;
	}
	b->p[b->n] = '\0';
	to = buf_reserve(b, (size_t)n);
	if (to == NULL)
		return false;
	va_start(ap, format);
	vsnprintf(to, (size_t)n + 1, format, ap);
	va_end(ap);
	buf_added(b, (size_t)n);
	return true;
}

void
buf_drop(struct buf *b, size_t n)
{
	ensure(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = '\0';
}

struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

const char *
buf_text(const struct buf *b)
{
	return b->n > 0 ? b->p : "";
}
