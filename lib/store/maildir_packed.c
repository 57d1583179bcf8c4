/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the file may be anything. What comes out of it is written, piece
 * by piece, to an unnamed file on the mailbox's own disk, and no more than its
 * name says, or a bound where that says nothing.
 */
#include "lib/store/maildir_packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"

enum {
	MAGIC_MAX = 16,
	CHUNK = 32768,
	WINDOW_BITS_GZIP = 15 + 16,
	UNKNOWN_MAX = 256 << 20, /* bytes, where the name tells no size */
};

static const struct {
	const char *name;
	size_t n;
	const char *magic;
} forms[] = {
	{ "gzip", 3, "\x1f\x8b\x08" },
	{ "zstd", 4, "\x28\xb5\x2f\xfd" },
	{ "bzip2", 10, "BZh?1AY&SY" },
	{ "xz", 6, "\xfd\x37zXZ" },
	{ "lz4", 12, "Dovecot-LZ4\r" },
};

/* '?' is any. */
static bool
begins(const char *start, const char *magic, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (magic[i] != '?' && magic[i] != start[i])
			return false;
	return true;
}

const char *
maildir_packed_how(int fd)
{
	char start[MAGIC_MAX] = "";
	ssize_t n = pread(fd, start, sizeof(start), 0);

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (n >= (ssize_t)forms[i].n &&
		    begins(start, forms[i].magic, forms[i].n))
			return forms[i].name;
	return NULL;
}

struct unpacking {
	int in, out;
	uint64_t n, most;
	unsigned char packed[CHUNK], plain[CHUNK];
};

/* All that is to be had of what was read. */
static int
inflate_part(struct unpacking *u, z_stream *z)
{
	int r;

	do {
		size_t n;

		z->next_out = u->plain;
		z->avail_out = CHUNK;
		r = inflate(z, Z_NO_FLUSH);
		n = CHUNK - z->avail_out;
		u->n += n;
		if (u->n > u->most)
			return Z_DATA_ERROR;
		if (fd_write_all(u->out, u->plain, n) == -1)
			return Z_ERRNO;
	} while (r == Z_OK && z->avail_out == 0);
	return r == Z_BUF_ERROR ? Z_OK : r;
}

/* 0, or -1 with errno; EBADMSG: it is damaged, or another size. */
static int
gunzip(struct unpacking *u)
{
	z_stream z = { .next_in = NULL };
	int r = inflateInit2(&z, WINDOW_BITS_GZIP), error;
	off_t at = 0;
	ssize_t n = 1;

	while (r == Z_OK && (n = pread(u->in, u->packed, CHUNK, at)) > 0) {
		at += n;
		z.next_in = u->packed;
		z.avail_in = (unsigned int)n;
		r = inflate_part(u, &z);
	}
	error = n < 0 || r == Z_ERRNO ? errno : EBADMSG;
	(void)inflateEnd(&z);
	errno = error;
	return r == Z_STREAM_END ? 0 : -1;
}

static int
unpack_to(int directory, int in, uint64_t stored, uint64_t *n)
{
	struct unpacking *u = mem_new(sizeof(*u));
	int error, out;

	u->in = in;
	u->most = stored == UINT64_MAX ? UNKNOWN_MAX : stored;
	u->out = openat(directory, "tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (u->out != -1 &&
	    (gunzip(u) == -1 || lseek(u->out, 0, SEEK_SET) == -1)) {
		error = errno;
		fd_close(&u->out);
		errno = error;
	}
	error = errno;
	out = u->out;
	*n = u->n;
	free(u);
	errno = error;
	return out;
}

bool
maildir_unpack(int directory, int *fd, uint64_t stored, struct stat *st,
    struct why *why)
{
	const char *how;
	uint64_t n;
	int plain;

	if ((uint64_t)st->st_size == stored ||
	    (how = maildir_packed_how(*fd)) == NULL)
		return true;
	if (strcmp(how, forms[0].name) != 0) {
		why_set(why, "4.2.0",
		    "the message is compressed with %s, which is not supported",
		    how);
		return false;
	}
	plain = unpack_to(directory, *fd, stored, &n);
	if (plain == -1) {
		why_errno(why, "4.2.0",
		    "the message is compressed, and cannot"
		    " be read");
		return false;
	}
	fd_close(fd);
	*fd = plain;
	st->st_size = (off_t)n;
	return true;
}
