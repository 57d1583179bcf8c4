/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: root works here in directories of the queue's owner, who may have
 * been taken over: every step is relative to an open directory, follows no
 * symbolic link, and removes but names that the suite itself gives.
 */
#include "tools/postmulti.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/conf/logical_lines.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "tools/cf_edit.h"

enum { DEPTH_MAX = 4 };

/* One set of changes to a main.cf. */
struct assignments {
	const char *const (*list)[2];
	size_t count;
	bool done[32];
};

static void
assign(const struct assignments *a, size_t i, struct buf *out)
{
	buf_printf(out, "%s = %s", a->list[i][0], a->list[i][1]);
}

static enum cf_action
decide(void *with, struct span line, struct buf *replacement)
{
	struct assignments *a = with;
	struct span name, value;

	if (conf_split(line, &name, &value) != NULL)
		return CF_KEEP;
	for (size_t i = 0; i < a->count; i++)
		if (span_is(name, a->list[i][0])) {
			a->done[i] = true;
			assign(a, i, replacement);
			return CF_REPLACE;
		}
	return CF_KEEP;
}

static void
finish(void *with, struct buf *out)
{
	struct assignments *a = with;

	for (size_t i = 0; i < a->count; i++)
		if (!a->done[i]) {
			assign(a, i, out);
			buf_add_char(out, '\n');
		}
}

void
files_set(const char *directory, const char *const settings[][2], size_t count)
{
	struct assignments a = { .list = settings, .count = count };
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = &a };
	struct buf error = BUF_INIT(4096);
	char *path = mem_printf("%s/main.cf", directory);

	ensure(count <= sizeof(a.done));
	if (!cf_edit_file(path, &edit, &error))
		fatal_status(EXIT_FAILURE, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	free(path);
}

/* With all that are missing above it. */
static void
make_directory(const char *path, mode_t mode)
{
	char *copy = mem_text(path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			fatal_status(EXIT_FAILURE, "cannot make %s: %m", copy);
		*slash = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		fatal_status(EXIT_FAILURE, "cannot make %s: %m", copy);
	free(copy);
}

/* The stock file of this name; those that were left out while building: "". */
static void
read_stock(const char *name, struct buf *text)
{
	char *path = mem_printf("%s/%s", SAMPLE_DIRECTORY, name);
	struct buf error = BUF_INIT(4096);

	if (!logical_file_read(path, text, &error))
		fatal_status(EXIT_FAILURE, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	free(path);
}

/* It appears whole, or not at all, and never in the place of another. */
static void
put_file(const char *directory, const char *name, const struct buf *text)
{
	char *to = mem_printf("%s/%s", directory, name);
	char *temporary = mem_printf("%s.new", to);
	int fd;

	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, buf_text(text), text->n) < 0 ||
	    fsync(fd) < 0)
		fatal_status(EXIT_FAILURE, "cannot write %s: %m", temporary);
	fd_close(&fd);
	if (link(temporary, to) < 0 && errno != EEXIST)
		fatal_status(EXIT_FAILURE, "cannot make %s: %m", to);
	(void)unlink(temporary);
	free(temporary);
	free(to);
}

static void
put_stock(const char *directory, const char *name)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX);

	read_stock(name, &text);
	put_file(directory, name, &text);
	buf_fini(&text);
}

/*
 * The new main.cf: the stock one, with what all instances have in common as
 * the primary one sets it. It listens nowhere and takes no local submissions
 * until somebody has looked at it.
 */
static void
put_main_cf(const struct mail_instance *primary, const char *directory,
    const char *queue, const char *data)
{
	static const char *const common[] = { "command_directory",
		"daemon_directory", "mail_owner", "setgid_group", "net_user",
		"table_user", "auth_user", "server_user", "token_user",
		"key_user", "log_user" };
	const char *settings[4 + sizeof(common) / sizeof(common[0])][2] = {
		{ "queue_directory", queue },
		{ "data_directory", data },
		{ "authorized_submit_users", "" },
		{ "master_service_disable", "inet" },
	};
	struct assignments a = { .list = settings, .count = 4 };
	const struct cf_edit edit = { .decide = decide,
		.finish = finish,
		.with = &a };
	struct buf stock = BUF_INIT(LOGICAL_FILE_MAX);
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX);

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (conf_raw(primary->conf, common[i]) == NULL)
			continue;
		settings[a.count][0] = common[i];
		settings[a.count++][1] = conf_value(primary->conf, common[i]);
	}
	read_stock("main.cf", &stock);
	(void)cf_edit_text(buf_span(&stock), &edit, &text);
	put_file(directory, "main.cf", &text);
	buf_fini(&stock);
	buf_fini(&text);
}

void
files_create(const struct mail_instance *primary, const char *directory,
    const char *queue, const char *data)
{
	make_directory(directory, 0755);
	make_directory(queue, 0755);
	make_directory(data, 0700);
	put_stock(directory, "aliases");
	put_main_cf(primary, directory, queue, data);
	/* with it the instance is complete */
	put_stock(directory, "master.cf");
}

static int
open_below(int at, const char *name)
{
	return openat(at, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Is there any file, here or below? Owns "at". */
static bool
has_files(int at, unsigned int depth)
{
	DIR *dir = at < 0 ? NULL : fdopendir(at);
	struct dirent *entry;
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		int below;

		if (is_dots(entry->d_name))
			continue;
		below = open_below(dirfd(dir), entry->d_name);
		found = below < 0 || depth == 0 || has_files(below, depth - 1);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

void
files_demand_no_mail(const char *queue)
{
	int at = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name;
	bool mail;

	for (size_t i = 0;
	     at >= 0 && (name = queue_directory_name(i, &mail)) != NULL; i++)
		if (mail && has_files(open_below(at, name), DEPTH_MAX))
			fatal_status(EXIT_FAILURE,
			    "there is mail in %s/%s: deliver it, or remove it "
			    "with postsuper -d, first",
			    queue, name);
	fd_close(&at);
}

static void
left(const char *path)
{
	log_warning("%s: please verify contents and remove by hand", path);
}

/* Empty folders of a hashed queue; with "files", files as well. */
static void
empty_directory(int at, bool files, unsigned int depth)
{
	DIR *dir = at < 0 ? NULL : fdopendir(at);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (is_dots(entry->d_name))
			continue;
		if (files && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			continue;
		if (depth > 0)
			empty_directory(open_below(dirfd(dir), entry->d_name),
			    false, depth - 1);
		(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
remove_queue(const char *queue)
{
	int at = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name;
	bool mail;

	for (size_t i = 0;
	     at >= 0 && (name = queue_directory_name(i, &mail)) != NULL; i++) {
		/* sockets, the lock, reasons: of no use without messages */
		empty_directory(open_below(at, name), !mail, DEPTH_MAX);
		if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
			char *path = mem_printf("%s/%s", queue, name);

			left(path);
			free(path);
		}
	}
	fd_close(&at);
	if (rmdir(queue) < 0 && errno != ENOENT)
		left(queue);
}

/* What programs keep there is made anew. */
static void
remove_data(const char *data)
{
	static const char *const ours[] = { "auth_state", "app_password_use",
		"*-limits-*", "imap-shares", "mbox" };
	int at = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = at < 0 ? NULL : fdopendir(at);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
			if (fnmatch(ours[i], entry->d_name, 0) != 0 ||
			    unlinkat(dirfd(dir), entry->d_name, 0) == 0)
				continue;
			/* mbox has a journal: what is in it is not finished */
			if (strcmp(ours[i], "mbox") != 0)
				empty_directory(open_below(dirfd(dir),
						    entry->d_name),
				    true, 0);
			(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
		}
	if (dir != NULL)
		closedir(dir);
	if (rmdir(data) < 0 && errno != ENOENT)
		left(data);
}

/* aliases, if nobody has changed them. */
static void
remove_aliases(const char *directory)
{
	char *path = mem_printf("%s/aliases", directory);
	struct buf stock = BUF_INIT(LOGICAL_FILE_MAX);
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX), error = BUF_INIT(4096);

	read_stock("aliases", &stock);
	if (logical_file_read(path, &text, &error) &&
	    span_equal(buf_span(&stock), buf_span(&text)))
		(void)unlink(path);
	buf_fini(&stock);
	buf_fini(&text);
	buf_fini(&error);
	free(path);
}

void
files_remove(const struct mail_instance *i)
{
	static const char *const names[] = { "master.cf", "main.cf" };

	remove_queue(i->common.queue_directory);
	remove_data(i->common.data_directory);
	remove_aliases(i->directory);
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		char *path = mem_printf("%s/%s", i->directory, names[k]);

		if (unlink(path) < 0 && errno != ENOENT)
			log_warning("%s: %m", path);
		free(path);
	}
	if (rmdir(i->directory) < 0 && errno != ENOENT)
		left(i->directory);
}
