/* SPDX-License-Identifier: ISC */
/*
 * A small index with bytes of it changed, opened and read: what does not hold
 * is an error, and never anything else. The input is a list of edits, 4 bytes
 * each: page, half of the offset in it, and the byte's new value. Every second
 * one gets the seal of a file that was closed in order, so that no check comes
 * before LMDB.
 */
#include "lib/store/mail_index_internal.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 80, FILE_MAX = 1 << 20 };

static const unsigned char id[MAIL_INDEX_ID] = "0123456789abcdef";
static char path[64], lock_path[80], damaged[80];
static char before[FILE_MAX];
static size_t length;
static uint64_t transaction; /* the last one */

static void
forget(void)
{
	(void)!unlink(path);
	(void)!unlink(lock_path);
	(void)!unlink(damaged);
}

static void
fill(struct mail_index *x)
{
	struct mail_index_folder f = { .uidvalidity = 1,
		.uidnext = MESSAGES + 1,
		.messages = MESSAGES };
	struct mail_index_message m = { .modseq = 7, .name = SPAN("1.a:2,S") };
	struct uid_set set = { 0 };
	char value[200] = "value";

	memcpy(f.id, id, sizeof(id));
	uid_set_add_range(&set, 1, MESSAGES);
	ensure(mail_index_begin(x, NULL));
	ensure(mail_index_folder_put(x, &f));
	for (m.uid = 1; m.uid <= MESSAGES; m.uid++) {
		ensure(mail_index_put(x, f.number, &m));
		mail_index_cache(x, f.number, m.uid, 0,
		    (struct span){ value, sizeof(value) });
	}
	ensure(mail_index_present(x, f.number, &set, true));
	ensure(mail_index_history_add(x, &f, HISTORY_REMOVALS, 9, &set));
	ensure(mail_index_folder_put(x, &f));
	ensure(mail_index_commit(x, NULL));
	uid_set_fini(&set);
}

static void
prepare(void)
{
	struct mail_index *x;
	struct why why;
	FILE *f;

	log_threshold(LEVEL_PANIC);
	snprintf(path, sizeof(path), "%s/mail_index_fuzz.%ld",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
	    (long)getpid());
	snprintf(lock_path, sizeof(lock_path), "%s-lock", path);
	snprintf(damaged, sizeof(damaged), "%s.damaged", path);
	x = mail_index_open(path, &why);
	ensure(x != NULL);
	fill(x);
	mail_index_close(&x);
	f = fopen(path, "r");
	ensure(f != NULL);
	length = fread(before, 1, sizeof(before), f);
	fclose(f);
	ensure(length > 2 * 4096 && length < sizeof(before));
	/* LMDB's two first pages; the number is in both at the same place */
	for (size_t page = 0; page < 2; page++) {
		uint64_t number;

		memcpy(&number, before + page * 4096 + 16 + 128,
		    sizeof(number));
		if (number > transaction)
			transaction = number;
	}
	ensure(transaction > 1 && transaction < 100);
	(void)atexit(forget);
}

static bool
visit(void *with, const struct mail_index_message *m)
{
	unsigned int *n = with;

	ensure(m->uid > 0 && m->name.n > 0);
	return ++*n < 10000;
}

static void
read_all(struct mail_index *x)
{
	struct mail_index_message m;
	struct mail_index_folder f;
	struct uid_set set = { 0 };
	unsigned int n = 0;
	bool found, complete;

	if (!mail_index_hold(x))
		return;
	if (mail_index_folder(x, id, &f, &found) && found) {
		(void)mail_index_uids(x, f.number, 0, UINT32_MAX, &set);
		(void)mail_index_history(x, &f, HISTORY_REMOVALS, 1, &set,
		    &complete);
		(void)mail_index_walk(x, f.number, 0, visit, &n);
		for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
			(void)mail_index_get(x, f.number, uid, &m, &found);
			(void)mail_index_cached(x, f.number, uid, 0);
		}
	}
	mail_index_release(x);
	uid_set_fini(&set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char now[FILE_MAX];
	struct mail_index *x;
	struct why why;
	int fd;

	if (length == 0)
		prepare();
	memcpy(now, before, length);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		size_t at = data[i + 1] * (size_t)4096 + data[i + 2] * 16u +
		    data[i + 3] % 16u;

		if (at < length)
			now[at] = (char)(data[i] ^ data[i + 3]);
	}
	forget();
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ensure(fd != -1 && write(fd, now, length) == (ssize_t)length);
	if (size % 2 == 1)
		index_file_seal(fd, transaction);
	close(fd);
	x = mail_index_open(path, &why);
	if (x == NULL)
		return 0;
	read_all(x);
	mail_index_close(&x);
	return 0;
}
