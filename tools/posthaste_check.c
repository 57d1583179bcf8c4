/* SPDX-License-Identifier: ISC */
#include "tools/posthaste.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"

int
run_program(const char *path, char *const arguments[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(path, arguments);
		log_error("cannot run %s: %m", path);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fatal("cannot run %s: %m", path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

/* With one option more, and its value if it has one. */
static bool
run_master(const struct instance *i, const char *directory, const char *option,
    const char *value)
{
	char *path = mem_printf("%s/master", i->common.daemon_directory);
	char *arguments[] = { (char[]){ "master" }, (char[]){ "-c" },
		mem_text(directory), mem_text(option), NULL, NULL };
	bool fine;

	if (value != NULL)
		arguments[4] = mem_text(value);
	fine = run_program(path, arguments) == 0;
	for (size_t k = 2; k < 5; k++)
		free(arguments[k]);
	free(path);
	return fine;
}

bool
configuration_check(const struct instance *i)
{
	return run_master(i, i->directory, "-C", NULL);
}

bool
configuration_report(const struct instance *i, const char *directory, bool json)
{
	return run_master(i, directory, "-R", json ? "json" : "text");
}

static bool
check_queue(const struct instance *i)
{
	const struct passwd *owner = getpwnam(i->common.mail_owner);
	const struct group *drop = getgrnam(i->common.setgid_group);
	struct buf error = BUF_INIT(65536);
	struct span rest, line;
	bool fine;

	if (geteuid() == 0 && (owner == NULL || drop == NULL)) {
		log_error("user %s or group %s does not exist: run "
			  "create-users",
		    i->common.mail_owner, i->common.setgid_group);
		return false;
	}
	fine = queue_make_directories(i->common.queue_directory,
	    owner != NULL ? owner->pw_uid : (uid_t)-1,
	    drop != NULL ? drop->gr_gid : (gid_t)-1, &error);
	rest = buf_span(&error);
	while (span_cut(&rest, "\n", true, &line))
		log_error("%.*s", SPAN_ARG(line));
	buf_fini(&error);
	return fine;
}

/* data_directory belongs to the queue's owner. */
static bool
check_data(const struct instance *i)
{
	const struct passwd *owner = getpwnam(i->common.mail_owner);
	const char *name = i->common.data_directory;
	struct stat st;

	if (mkdir(name, 0700) < 0 && errno != EEXIST) {
		log_error("data_directory %s: %m", name);
		return false;
	}
	if (stat(name, &st) < 0 || !S_ISDIR(st.st_mode)) {
		log_error("data_directory %s: not a directory", name);
		return false;
	}
	if (geteuid() != 0 || owner == NULL || st.st_uid == owner->pw_uid)
		return true;
	log_warning("data_directory %s: given to %s", name, owner->pw_name);
	if (chown(name, owner->pw_uid, owner->pw_gid) == 0)
		return true;
	log_error("data_directory %s: %m", name);
	return false;
}

/* Whoever can write these is root. */
static bool
check_owned(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0) {
		log_error("%s: %m", name);
		return false;
	}
	if (geteuid() != 0)
		return true;
	if (st.st_uid != 0)
		log_warning("%s is not owned by root", name);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	log_error("%s can be written by others than its owner", name);
	return false;
}

static bool
check_configuration_files(const struct instance *i)
{
	static const char *const names[] = { "", "/main.cf", "/master.cf" };
	bool fine = true;

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		char *path = mem_printf("%s%s", i->directory, names[k]);

		fine &= check_owned(path);
		free(path);
	}
	return fine;
}

/* postdrop and postqueue need the group; nobody else has extra rights. */
static bool
check_setgid(const struct instance *i, const char *name)
{
	const struct group *drop = getgrnam(i->common.setgid_group);
	char *path = mem_printf("%s/%s", i->common.command_directory, name);
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool fine = false;

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_error("%s: %m", path);
	} else if (geteuid() != 0 || drop == NULL ||
	    (st.st_gid == drop->gr_gid && (st.st_mode & 07777) == 02755)) {
		fine = true;
	} else {
		log_warning("%s: made set-gid %s", path, drop->gr_name);
		fine =
		    fchown(fd, 0, drop->gr_gid) == 0 && fchmod(fd, 02755) == 0;
		if (!fine)
			log_error("%s: %m", path);
	}
	fd_close(&fd);
	free(path);
	return fine;
}

/* Without root's rights only one's own instance can be judged. */
static bool
may_check(const struct instance *i)
{
	const char *name = i->common.queue_directory;
	struct stat st;

	if (geteuid() == 0 || stat(name, &st) < 0 || st.st_uid == geteuid())
		return true;
	log_error("queue_directory %s belongs to another user: this is for "
		  "root",
	    name);
	return false;
}

bool
installation_check(const struct instance *i)
{
	bool fine;

	if (!may_check(i))
		return false;
	fine = check_queue(i);

	fine &= check_data(i);
	fine &= check_owned(i->common.daemon_directory);
	fine &= check_configuration_files(i);
	fine &= check_setgid(i, "postdrop");
	fine &= check_setgid(i, "postqueue");
	return fine;
}
