/* SPDX-License-Identifier: ISC */
#include "lib/queue/queue_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/queue/queue_crc.h"
#include "lib/queue/queue_field.h"

enum { BUFFER = 128 * 1024 };

struct queue_writer {
	char path[QUEUE_PATH_MAX];
	char id[QUEUE_ID_MAX];
	int fd;
	int error; /* errno of the first failure */
	bool committed;
	off_t offset; /* of the buffer in the file */
	off_t content_offset;
	size_t n; /* bytes in the buffer */
	char buffer[BUFFER];
};

/* One is kept for the next message; its memory is already there. */
static struct queue_writer *spare;

static int
create(const char *queue, const char *id, const char *path)
{
	enum { HOW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
	int fd = open(path, HOW, 0600);

	if (fd == -1 && errno == ENOENT && queue_make_path(queue, id) == 0)
		fd = open(path, HOW, 0600);
	return fd;
}

struct queue_writer *
queue_writer_new(const char *queue, const char *id, struct why *why)
{
	struct queue_writer *w = spare ? spare : malloc(sizeof(*w));

	ensure(w != NULL && "out of memory");
	ensure(queue_id_valid(id));
	spare = NULL;
	queue_path(queue, id, w->path);
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->error = 0;
	w->committed = false;
	w->offset = w->content_offset = 0;
	w->n = 0;
	w->fd = create(queue, id, w->path);
	/*
	 * The lock tells queue_remove_incomplete that somebody is writing. If
	 * it was faster than we, the file is gone, and so is the message.
	 */
	if (w->fd != -1 && flock(w->fd, LOCK_EX | LOCK_NB) == 0)
		return w;
	why_errno(why, errno == ENOSPC || errno == EDQUOT ? "4.3.1" : "4.3.0",
	    "cannot create queue file %s", w->path);
	if (w->fd != -1)
		unlink(w->path);
	w->committed = true; /* nothing of ours to unlink */
	queue_writer_free(&w);
	return NULL;
}

static int
failed(struct queue_writer *w, int error)
{
	if (w->error == 0)
		w->error = error;
	errno = w->error;
	return -1;
}

/* The buffer, and these bytes behind it, to the file. */
static int
write_out(struct queue_writer *w, const void *data, size_t n)
{
	const char *bytes[2] = { w->buffer, data };
	size_t sizes[2] = { w->n, n };
	struct iovec iov[2];
	size_t done;
	ssize_t got;

	while (sizes[0] + sizes[1] > 0) {
		for (int i = 0; i < 2; i++) {
			/* writev(2) only reads, whatever its type says */
			iov[i].iov_base = (void *)(uintptr_t)bytes[i];
			iov[i].iov_len = sizes[i];
		}
		got = writev(w->fd, iov, 2);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return failed(w, got == 0 ? EIO : errno);
		w->offset += got;
		for (int i = 0; i < 2 && got > 0; i++) {
			done = (size_t)got < sizes[i] ? (size_t)got : sizes[i];
			bytes[i] += done;
			sizes[i] -= done;
			got -= (ssize_t)done;
		}
	}
	w->n = 0;
	return 0;
}

int
queue_writer_add(struct queue_writer *w, const void *data, size_t n)
{
	if (w->error != 0)
		return failed(w, w->error);
	if (n > BUFFER - w->n)
		return write_out(w, data, n);
	if (n > 0)
		memcpy(w->buffer + w->n, data, n);
	w->n += n;
	return 0;
}

void
queue_writer_content_begins(struct queue_writer *w)
{
	w->content_offset = w->offset + (off_t)w->n;
}

/* Fields of the trailer, and the checksum over what does not change later. */
struct trailer {
	struct buf b;
	uint32_t crc;
	bool valid;
};

static void
put(struct trailer *t, const char *name, const char *value, size_t max)
{
	static const char zeros[FLAGS_DIGITS];
	struct span v = span_of(value);
	bool changes =
	    strcmp(name, FIELD_FLAGS) == 0 || strcmp(name, FIELD_STATUS) == 0;
	size_t from = t->b.n;

	if (v.n > max || !queue_field_put(&t->b, name, v)) {
		t->valid = false;
		return;
	}
	t->crc = queue_crc(t->crc, t->b.p + from, t->b.n - from - v.n);
	t->crc = queue_crc(t->crc, changes ? zeros : v.p, v.n);
}

static void
put_number(struct trailer *t, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(t, name, text, sizeof(text));
}

static void
put_recipient(struct trailer *t, struct queue_recipient *r, off_t at)
{
	put(t, FIELD_RECIPIENT, r->address, ADDRESS_MAX);
	if (r->original != NULL && strcmp(r->original, r->address) != 0)
		put(t, FIELD_ORIGINAL, r->original, ADDRESS_MAX);
	if (r->orcpt != NULL && r->orcpt[0] != '\0')
		put(t, FIELD_ORCPT, r->orcpt, ORCPT_MAX);
	if (r->notify != 0)
		put_number(t, FIELD_NOTIFY, r->notify);
	t->valid = t->valid && r->notify <= NOTIFY_MAX;
	put(t, FIELD_STATUS, "P", 1);
	r->status = QUEUE_RECIPIENT_PENDING;
	r->offset = at + (off_t)t->b.n - 1;
}

static void
put_envelope(struct trailer *t, const char *id, struct queue_envelope *e,
    off_t at)
{
	char flags[FLAGS_DIGITS + 1];

	snprintf(flags, sizeof(flags), "%08x", e->flags);
	put(t, FIELD_QUEUE_ID, id, QUEUE_ID_MAX);
	put(t, FIELD_SENDER, e->sender, ADDRESS_MAX);
	put(t, FIELD_ENVID, e->envid ? e->envid : "", ENVID_MAX);
	put_number(t, FIELD_RET, e->ret);
	put(t, FIELD_FLAGS, flags, FLAGS_DIGITS);
	e->flags_offset = at + (off_t)t->b.n - FLAGS_DIGITS;
	put_number(t, FIELD_ARRIVAL, (uint64_t)e->arrival);
	put(t, FIELD_CLIENT, e->client ? e->client : "", CLIENT_MAX);
	for (size_t i = 0; i < e->recipient_count && t->valid; i++)
		put_recipient(t, &e->recipients[i], at);
}

static void
put_footer(struct trailer *t, const struct queue_envelope *e, off_t at)
{
	unsigned char footer[QUEUE_FOOTER_SIZE] = { 0 };

	memcpy(footer, QUEUE_MAGIC, QUEUE_MAGIC_SIZE);
	queue_put_number(footer + FOOTER_VERSION, QUEUE_VERSION, 4);
	queue_put_number(footer + FOOTER_COUNT, e->recipient_count, 4);
	queue_put_number(footer + FOOTER_CONTENT, (uint64_t)e->content_offset,
	    8);
	queue_put_number(footer + FOOTER_TRAILER, (uint64_t)at, 8);
	queue_put_number(footer + FOOTER_TRAILER_SIZE, t->b.n, 8);
	queue_put_number(footer + FOOTER_CRC,
	    queue_crc(t->crc, footer, FOOTER_CRC), 4);
	t->valid = t->valid && buf_add(&t->b, footer, sizeof(footer));
}

static bool
envelope_valid(const struct queue_writer *w, const struct queue_envelope *e)
{
	return e->recipient_count > 0 && e->recipient_count <= RECIPIENTS_MAX &&
	    e->ret <= 2 && e->arrival >= 0 && w->content_offset <= PREFIX_MAX;
}

/* All queues are on one device: files are renamed from one to the other. */
static struct {
	dev_t device;
	size_t block;
} queue;

static void
ask_queue(int fd)
{
	struct stat st;
	struct statfs fs;

	if (queue.device != 0)
		return;
	queue.block = PADDING_UNIT;
	if (fstatfs(fd, &fs) == 0 && fs.f_bsize > PADDING_UNIT &&
	    fs.f_bsize <= PADDING_MAX && fs.f_bsize % PADDING_UNIT == 0)
		queue.block = (size_t)fs.f_bsize;
	if (fstat(fd, &st) == 0)
		queue.device = st.st_dev;
}

/*
 * Who moves the file into a Maildir cuts it behind the content, by which the
 * rest of that block becomes zeros, perhaps on disk before the cut is and the
 * new name is: zeros are there from the beginning, and nothing else.
 */
static void
put_padding(struct trailer *t, int fd, off_t at)
{
	size_t n;
	char *room;

	ask_queue(fd);
	n = (queue.block - (size_t)at % queue.block) % queue.block;
	room = buf_reserve(&t->b, n);
	if (room != NULL)
		memset(room, 0, n);
	buf_added(&t->b, n);
}

int
queue_flush(int fd)
{
	ask_queue(fd);
	return file_system_commit(fd, queue.device, FILE_TIME_READ);
}

int
queue_writer_commit(struct queue_writer *w, struct queue_envelope *e)
{
	struct trailer t = { BUF_INIT(TRAILER_MAX), 0, true };
	off_t at = w->offset + (off_t)w->n;
	int result;

	ensure(!w->committed);
	if (w->error != 0)
		return failed(w, w->error);
	if (!envelope_valid(w, e))
		return failed(w, EINVAL);
	e->content_offset = w->content_offset;
	e->content_size = at - w->content_offset;
	if (e->flags & QUEUE_HAS_PREFIX)
		put_padding(&t, w->fd, at);
	put_envelope(&t, w->id, e, at);
	put_footer(&t, e, at);
	if (!t.valid)
		result = failed(w, EINVAL);
	else if (write_out(w, t.b.p, t.b.n) == -1)
		result = -1;
	else if (queue_flush(w->fd) == -1)
		result = failed(w, errno);
	else
		result = 0;
	w->committed = result == 0;
	buf_fini(&t.b);
	return result;
}

void
queue_writer_free(struct queue_writer **w)
{
	if (*w == NULL)
		return;
	if (!(*w)->committed)
		unlink((*w)->path);
	fd_close(&(*w)->fd);
	if (spare == NULL)
		spare = *w;
	else
		free(*w);
	*w = NULL;
}
