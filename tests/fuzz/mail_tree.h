/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_MAIL_TREE_H
#define TESTS_FUZZ_MAIL_TREE_H

/*
 * A small account in "mail", and files beside it in "outside", which nothing
 * may touch; made anew for each input, in a folder of the process that goes
 * with it.
 */

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"

static struct {
	char base[64];
	int back; /* where we came from */
	unsigned int seen;
	uint64_t outside, state;
} mail_tree;

static inline int
mail_tree_remove_one(const char *path, const struct stat *st, int kind,
    struct FTW *at)
{
	(void)st, (void)kind;
	return at->level == 0 ? 0 : remove(path);
}

static inline void
mail_tree_forget(void)
{
	(void)nftw(mail_tree.base, mail_tree_remove_one, 16,
	    FTW_DEPTH | FTW_PHYS);
	(void)rmdir(mail_tree.base);
}

static inline int
mail_tree_count_one(const char *path, const struct stat *st, int kind,
    struct FTW *at)
{
	(void)path, (void)at;
	mail_tree.seen += kind == FTW_F && st->st_size > 0;
	return 0;
}

/* Any change of what is there is one of a time or a name. */
static inline int
mail_tree_state_of_one(const char *path, const struct stat *st, int kind,
    struct FTW *at)
{
	uint64_t state = (uint64_t)st->st_ctim.tv_sec * 1000000007 +
	    (uint64_t)st->st_ctim.tv_nsec;

	(void)kind, (void)at;
	for (; *path != '\0'; path++)
		state = state * 131 + (unsigned char)*path;
	mail_tree.state += state;
	return 0;
}

static inline uint64_t
mail_tree_state(const char *path)
{
	mail_tree.state = 0;
	ensure(nftw(path, mail_tree_state_of_one, 16, FTW_PHYS) == 0);
	return mail_tree.state;
}

/* Files below that have something in them. */
static inline unsigned int
mail_tree_files(const char *path)
{
	mail_tree.seen = 0;
	ensure(nftw(path, mail_tree_count_one, 16, FTW_PHYS) == 0);
	return mail_tree.seen;
}

static inline void
mail_tree_put(const char *path, const void *first, size_t n, const void *rest,
    size_t more)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ensure(fd >= 0 && write(fd, first, n) == (ssize_t)n);
	ensure(write(fd, rest, more) == (ssize_t)more);
	close(fd);
}

/* For a folder of that name, once in a process. */
static inline void
mail_tree_prepare(const char *stem)
{
	snprintf(mail_tree.base, sizeof(mail_tree.base), "%s/%s_fuzz.%ld",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", stem,
	    (long)getpid());
	ensure(mkdir(mail_tree.base, 0700) == 0);
	(void)atexit(mail_tree_forget);
	mail_tree.back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ensure(mail_tree.back >= 0);
}

/* "texts" instead of the messages' own, as far as there are some, or NULL. */
static inline void
mail_tree_make(const char *const *texts)
{
	static const char *const directories[] = { "outside", "outside/cur",
		"mail", "mail/cur", "mail/new", "mail/tmp", "mail/.a",
		"mail/.a/cur", "mail/.a/new", "mail/.a/tmp", "mail/.a.b",
		"mail/.a.b/cur", "mail/.a.b/new", "mail/.a.b/tmp" };
	static const char *const files[] = { "mail/cur/1.a:2,S",
		"mail/cur/2.a,U=7:2,ab", "mail/new/3.a", "mail/.a/cur/4.a:2,",
		"mail/.a.b/cur/1.a:2,", "outside/cur/1.a", "outside/x",
		"outside/.y" };

	ensure(chdir(mail_tree.base) == 0);
	for (size_t i = 0; i < sizeof(directories) / sizeof(char *); i++)
		ensure(mkdir(directories[i], 0700) == 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(char *); i++) {
		bool more = texts != NULL && *texts != NULL;
		const char *text = more ? *texts++ : "Subject: x\n\ny\n";

		mail_tree_put(files[i], text, strlen(text), "", 0);
	}
	mail_tree.outside = mail_tree_state("outside");
}

/* What is outside is as it was; all of it goes. */
static inline void
mail_tree_end(void)
{
	ensure(mail_tree_state("outside") == mail_tree.outside);
	ensure(nftw(".", mail_tree_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	ensure(fchdir(mail_tree.back) == 0);
}

#endif
