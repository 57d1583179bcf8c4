/* SPDX-License-Identifier: ISC */
#include "lib/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"

enum {
	ARENA_BLOCK = 1000, /* malloc(3) is quickest up to 1032 bytes */
	ARENA_MORE = 4000,
	ARENA_ALIGN = 16,
};

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ARENA_ALIGN) char bytes[];
};

struct arena {
	struct arena_block *blocks; /* the newest first */
	size_t used; /* of the newest */
};

void *
mem_new(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	ensure(p != NULL && "out of memory");
	return p;
}

void *
mem_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	ensure(p != NULL && "out of memory");
	return p;
}

void *
mem_resize(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	ensure(p != NULL && "out of memory");
	return p;
}

char *
mem_text(const char *text)
{
	return text ? mem_span_text(span_of(text)) : NULL;
}

char *
mem_span_text(struct span s)
{
	char *p = mem_new(s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

char *
mem_printf(const char *format, ...)
{
	va_list ap;
	char *text = NULL;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	ensure(n >= 0 && "out of memory");
	return text;
}

static struct mem_pool *pools;

void *
mem_pool_get(struct mem_pool *p)
{
	if (p->n == 0)
		return mem_new(p->size);
	return memset(p->kept[--p->n], 0, p->size);
}

void
mem_pool_put(struct mem_pool *p, void *object)
{
	if (object == NULL)
		return;
	if (p->n == MEM_POOL_KEPT) {
		free(object);
		return;
	}
	p->kept[p->n++] = object;
	if (p->known)
		return;
	p->known = true;
	p->next = pools;
	pools = p;
}

void
mem_give_back(void)
{
	for (struct mem_pool *p = pools; p != NULL; p = p->next)
		while (p->n > 0)
			free(p->kept[--p->n]);
	(void)malloc_trim(0);
}

/* Most arenas stay small; those that do not have few blocks. */
static void
add_block(struct arena *a, size_t least)
{
	size_t usual = a->blocks == NULL ? ARENA_BLOCK : ARENA_MORE;
	size_t size = least > usual ? least : usual;
	struct arena_block *b = mem_resize(NULL, sizeof(*b) + size);

	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	a->used = 0;
}

struct arena *
arena_new(void)
{
	return mem_new(sizeof(struct arena));
}

void
arena_reset(struct arena *a)
{
	while (a->blocks != NULL &&
	    (a->blocks->next != NULL || a->blocks->size > ARENA_BLOCK)) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	a->used = 0;
}

void
arena_wipe(struct arena *a)
{
	for (struct arena_block *b = a->blocks; b != NULL; b = b->next)
		explicit_bzero(b->bytes, b->size);
	arena_reset(a);
}

void
arena_free(struct arena **a)
{
	if (*a == NULL)
		return;
	while ((*a)->blocks != NULL) {
		struct arena_block *next = (*a)->blocks->next;

		free((*a)->blocks);
		(*a)->blocks = next;
	}
	free(*a);
	*a = NULL;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	void *p;

	ensure(size < SIZE_MAX / 2);
	size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (a->blocks == NULL || a->blocks->size - a->used < size)
		add_block(a, size);
	p = a->blocks->bytes + a->used;
	a->used += size;
	return memset(p, 0, size);
}

char *
arena_text(struct arena *a, const char *text)
{
	return text ? arena_span(a, span_of(text)) : NULL;
}

char *
arena_span(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

char *
arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	ensure(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	return text;
}
