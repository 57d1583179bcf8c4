/* SPDX-License-Identifier: ISC */
/*
 * The snapshot: "POSTHASTE CONF 1\n", then records of three texts, each u32
 * length and bytes: name, value, origin. The first record is the directory
 * (its name is empty). Origin "computed" marks a default that master
 * found out from the system, for programs that cannot; "withheld" the names of
 * those that are not for this program to know, between line ends: they stay
 * where they are, in memory that all processes of the service share. Written by
 * master, read by its own children; sealed, so that no child can change it for
 * the next.
 *
 * SECURITY: values may be secrets (passwords in inline: and static: tables).
 * A program that strangers take over gives away what is in its memory.
 */
#include "lib/conf/conf_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"

#define SNAPSHOT_MAGIC "POSTHASTE CONF 1\n"
#define COMPUTED "computed"
#define WITHHELD "withheld"

enum { SNAPSHOT_MAX = 64 << 20 };

static void
put_text(struct buf *b, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	buf_add(b, &n, sizeof(n));
	buf_add(b, text, n);
}

static void
put_record(struct buf *b, const char *name, const char *value,
    const char *origin)
{
	put_text(b, name);
	put_text(b, value);
	put_text(b, origin);
}

/* Families are asked for by any service's name, and hold no secrets. */
static bool
withhold(struct conf *c, const char *name)
{
	return !conf_setting(c, span_of(name))->given &&
	    conf_family_find(span_of(name)) == NULL;
}

static void
put_withheld(struct conf *c, struct buf *b)
{
	struct buf names = BUF_INIT(SNAPSHOT_MAX);

	buf_add_char(&names, '\n');
	for (const struct param_group *const *g = param_groups; *g != NULL; g++)
		for (size_t i = 0; i < (*g)->count; i++) {
			const char *name = (*g)->params[i].name;

			if (withhold(c, name))
				buf_printf(&names, "%s\n", name);
		}
	put_record(b, WITHHELD, buf_text(&names), WITHHELD);
	buf_fini(&names);
}

static void
encode(struct conf *c, struct buf *b)
{
	const char *const *name;

	buf_add_text(b, SNAPSHOT_MAGIC);
	put_record(b, "", c->directory, "");
	for (name = conf_computed_names(); *name != NULL; name++)
		put_record(b, *name, conf_fallback(c, *name), COMPUTED);
	for (struct setting *s = c->first; s != NULL; s = s->next)
		if (s->given)
			put_record(b, s->name,
			    strcmp(s->name, "myorigin") == 0 ?
				conf_value(c, s->name) :
				s->raw,
			    s->origin);
	put_withheld(c, b);
}

int
conf_snapshot(struct conf *c, const char *share, char *const *texts)
{
	struct buf b = BUF_INIT(SNAPSHOT_MAX);
	int fd = memfd_create("settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	conf_share_mark(c, share, texts);
	encode(c, &b);
	if (b.overflow)
		errno = EFBIG;
	if (b.overflow || fd_write_all(fd, b.p, b.n) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		fd_close(&fd);
	buf_fini(&b);
	return fd;
}

static bool
take_text(struct span *rest, struct span *text)
{
	uint32_t n;

	if (rest->n < sizeof(n))
		return false;
	memcpy(&n, rest->p, sizeof(n));
	*rest = span_skip(*rest, sizeof(n));
	if (n > rest->n)
		return false;
	*text = span_take(*rest, n);
	*rest = span_skip(*rest, n);
	return true;
}

static bool
take_record(struct conf *c, struct span *rest)
{
	struct span name, value, origin;

	if (!take_text(rest, &name) || !take_text(rest, &value) ||
	    !take_text(rest, &origin))
		return false;
	if (name.n == 0) {
		c->directory = arena_span(c->arena, value);
	} else if (span_is(origin, COMPUTED)) {
		conf_setting(c, name)->computed = arena_span(c->arena, value);
	} else if (span_is(origin, WITHHELD)) {
		c->withheld = value;
	} else {
		conf_set(c, name, value, arena_span(c->arena, origin));
	}
	return true;
}

static bool
map_whole(struct conf *c, int fd)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) != 0 || st.st_size > SNAPSHOT_MAX)
		return false;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return false;
	c->snapshot = (struct span){ map, (size_t)st.st_size };
	return true;
}

struct conf *
conf_read_snapshot(int fd)
{
	struct conf *c = conf_new("");
	struct span rest;

	if (!map_whole(c, fd))
		fatal("the settings snapshot cannot be read: %s",
		    strerror(errno));
	rest = c->snapshot;
	if (!span_starts(rest, SNAPSHOT_MAGIC))
		fatal("the settings snapshot is damaged");
	rest = span_skip(rest, strlen(SNAPSHOT_MAGIC));
	while (rest.n > 0)
		if (!take_record(c, &rest))
			fatal("the settings snapshot is damaged");
	c->from_snapshot = true;
	return c;
}
