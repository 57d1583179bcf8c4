/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/process.h"

enum { HOST_MAX = 64, OLD_S = 36 * 3600 };

/* A slash, colon or comma in a file name would mean something. */
static const char *
host(void)
{
	static char name[HOST_MAX];

	if (name[0] != '\0')
		return name;
	if (gethostname(name, sizeof(name)) != 0 || name[0] == '\0')
		snprintf(name, sizeof(name), "localhost");
	name[sizeof(name) - 1] = '\0';
	for (char *c = name; *c != '\0'; c++)
		if (*c == '/' || *c == ':' || *c == ',' || *c <= ' ')
			*c = '_';
	return name;
}

void
mail_append_base(char out[MAIL_BASE_MAX])
{
	static unsigned int number;
	int64_t now = clock_wall_us();

	snprintf(out, MAIL_BASE_MAX, "%lld.M%06lldP%ldQ%u.%s",
	    (long long)(now / 1000000), (long long)(now % 1000000),
	    (long)process_id(), number++, host());
}

bool
mail_append_file_name(const char *base, uint64_t stored, uint64_t size,
    uint32_t uid, uint32_t flags, uint64_t keywords, char out[MAILDIR_FILE_MAX])
{
	char plain[MAILDIR_FILE_MAX];
	struct maildir_file file;

	snprintf(plain, sizeof(plain), "%s,S=%llu,W=%llu", base,
	    (unsigned long long)stored, (unsigned long long)size);
	return maildir_file_parse(span_of(plain), &file) &&
	    maildir_file_name(&file, uid, flags, keywords, out);
}

/* Neither written nor renamed since. */
static bool
is_old(const struct stat *st, int64_t now)
{
	return S_ISREG(st->st_mode) && st->st_mtim.tv_sec < now - OLD_S &&
	    st->st_ctim.tv_sec < now - OLD_S;
}

void
mail_append_sweep(int directory)
{
	int fd = openat(directory, "tmp",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int64_t now = clock_wall_us() / 1000000;
	struct dirent *e;
	struct stat st;

	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    is_old(&st, now))
			(void)!unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

enum mail_result
mail_append_keywords(struct mailbox *to, uint64_t keywords, uint32_t uid,
    struct why *why)
{
	struct mailbox_folder *f = to->folder;
	struct uid_set one = { 0 };
	enum mail_result r = MAIL_OK;

	uid_set_add(&one, uid);
	for (unsigned int bit = FOLDER_KEYWORD_LETTERS;
	     r == MAIL_OK && bit < MAIL_KEYWORDS_MAX; bit++) {
		if ((keywords >> bit & 1) == 0)
			continue;
		if (folder_state_mark(f->files.dir, &f->state, bit, &one,
			true) == -1)
			r = mailbox_disk_failed("cannot set keywords", why);
		f->unflushed_state = true;
		mailbox_state_stamped(f);
	}
	uid_set_fini(&one);
	return r;
}
