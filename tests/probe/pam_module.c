/* SPDX-License-Identifier: ISC */
/*
 * A PAM module that does what modules of sites do on behalf of a password:
 * becomes the user for a while and opens a file (pam_google_authenticator),
 * asks a server by sockets and in a thread (pam_sss, pam_ldap, pam_winbind),
 * keeps a key (pam_krb5, pam_ecryptfs), runs a program (pam_unix, pam_exec),
 * and maps code (each that loads a library). PAM_SYSTEM_ERR, and a line of
 * errno in the file that is its argument, where one of them fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
becomes_the_user(pam_handle_t *h)
{
	const struct passwd *user;
	const char *name;
	bool good;

	if (pam_get_user(h, &name, NULL) != PAM_SUCCESS ||
	    (user = getpwnam(name)) == NULL)
		return false;
	(void)setfsuid(user->pw_uid);
	good = setfsuid((uid_t)-1) == (int)user->pw_uid;
	(void)setfsuid(0);
	good = good && seteuid(user->pw_uid) == 0 &&
	    open("/etc/shadow", O_RDONLY) == -1 && errno == EACCES;
	return seteuid(0) == 0 && good && access("/etc/shadow", R_OK) == 0;
}

static bool
has_sockets(pam_handle_t *h)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6,
		AF_NETLINK };

	(void)h;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		int fd = socket(families[i], SOCK_DGRAM, 0);

		if (fd == -1 && errno != EAFNOSUPPORT)
			return false;
		(void)close(fd);
	}
	return true;
}

static void *
answer(void *question)
{
	return question;
}

static bool
has_threads(pam_handle_t *h)
{
	pthread_t thread;
	void *said;
	int error = pthread_create(&thread, NULL, answer, h);

	errno = error;
	return error == 0 && pthread_join(thread, &said) == 0 && said == h;
}

static bool
keeps_keys(pam_handle_t *h)
{
	enum { PROCESS_KEYRING = -2 };

	(void)h;
	return syscall(SYS_add_key, "user", "posthaste-probe", "x", 1,
		   PROCESS_KEYRING) > 0 ||
	    errno == ENOSYS;
}

static bool
runs_programs(pam_handle_t *h)
{
	int status;
	pid_t pid = fork();

	(void)h;
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "/bin/true | exec cat",
		    (char *)NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool
maps_code(pam_handle_t *h)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)h;
	return at != MAP_FAILED &&
	    mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 &&
	    munmap(at, 4096) == 0;
}

int
pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	static const struct {
		const char *name;
		bool (*works)(pam_handle_t *h);
	} needs[] = { { "user", becomes_the_user }, { "sockets", has_sockets },
		{ "threads", has_threads }, { "keys", keeps_keys },
		{ "programs", runs_programs }, { "code", maps_code } };
	FILE *out = argc == 1 ? fopen(argv[0], "w") : NULL;
	bool good = out != NULL;

	(void)flags;
	for (size_t i = 0; good && i < sizeof(needs) / sizeof(needs[0]); i++) {
		good = needs[i].works(h);
		fprintf(out, "%s: %s\n", needs[i].name,
		    good ? "works" : strerror(errno));
	}
	if (out != NULL)
		(void)fclose(out);
	return good ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

int
pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)h, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
