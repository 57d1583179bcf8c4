/* SPDX-License-Identifier: ISC */
#include "lib/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"
#include "lib/store/store_kind.h"

/* "maildir:/path:INDEX=/x" */
static char *
path_of(const char *location)
{
	struct span s = span_of(location);

	if (!span_starts(s, "maildir:"))
		return NULL;
	s = span_skip(s, 8);
	s = span_take(s, span_find(s, ':'));
	return s.n == 0 ? NULL : mem_span_text(s);
}

enum store_result
store_open(const char *location, bool exclusive, struct store **out,
    struct why *why)
{
	char *path = path_of(location);
	enum store_result r;

	why_clear(why);
	if (path == NULL) {
		why_set(why, "4.3.5",
		    "mailbox location \"%s\" is not"
		    " supported",
		    location);
		return STORE_FAILED;
	}
	r = maildir_store_open(path, exclusive, out, why);
	free(path);
	return r;
}

void
store_close(struct store **s)
{
	if (*s != NULL)
		(*s)->kind->close(*s);
	*s = NULL;
}

size_t
store_count(const struct store *s)
{
	return s->kind->count(s);
}

const char *
store_unique(const struct store *s, size_t i)
{
	return s->kind->unique(s, i);
}

enum store_result
store_size(struct store *s, size_t i, uint64_t *size, struct why *why)
{
	return s->kind->size(s, i, size, why);
}

enum store_result
store_fetch(struct store *s, size_t i, struct store_blob *out, struct why *why)
{
	*out = (struct store_blob){ .fd = -1 };
	return s->kind->fetch(s, i, out, why);
}

enum store_result
store_add_flags(struct store *s, size_t i, unsigned int flags, struct why *why)
{
	return s->kind->add_flags(s, i, flags, why);
}

enum store_result
store_expunge(struct store *s, size_t i, struct why *why)
{
	return s->kind->expunge(s, i, why);
}

enum store_result
store_commit(struct store *s, struct why *why)
{
	return s->kind->commit(s, why);
}

int64_t
store_blob_read(struct store_blob *b, void *to, size_t n)
{
	ssize_t got;

	if (b->text != NULL)
		return b->text->read(b->text, to, n);
	if (b->next >= b->length)
		return 0;
	if ((int64_t)n > b->length - b->next)
		n = (size_t)(b->length - b->next);
	do {
		got = pread(b->fd, to, n, (off_t)b->next);
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		b->next += got;
	return got;
}

void
store_blob_close(struct store_blob *b)
{
	if (b->text != NULL)
		b->text->close(b->text);
	b->text = NULL;
	fd_close(&b->fd);
}
