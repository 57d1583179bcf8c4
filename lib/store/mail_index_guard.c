/* SPDX-License-Identifier: ISC */
/*
 * LMDB believes its file. Where a page of it is damaged it may follow a wrong
 * offset out of the map, or end in its own assertion: both are caught here
 * while one of its calls runs, and become an error like any other. The
 * environment is given up then, never touched again.
 *
 * Faults elsewhere go where they went before.
 */
#include "lib/store/mail_index_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "lib/store/mail_index_internal.h"

/* of the thread: what another one does wrong is no matter of LMDB's */
static _Thread_local sigjmp_buf *volatile way_out;
static struct sigaction before_segv, before_bus;

/* Not ours: to whoever had it before. */
static void
pass_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction *before =
	    number == SIGBUS ? &before_bus : &before_segv;

	(void)sigaction(number, before, NULL);
	/* what the processor did happens again, what somebody sent does not */
	if (info->si_code > 0)
		return;
	if ((before->sa_flags & SA_SIGINFO) != 0)
		before->sa_sigaction(number, info, context);
	else
		(void)raise(number);
}

static void
caught(int number, siginfo_t *info, void *context)
{
	sigjmp_buf *out = way_out;

	if (out == NULL || info->si_code <= 0) {
		pass_on(number, info, context);
		return;
	}
	way_out = NULL;
	siglongjmp(*out, 1);
}

static void
asserted(MDB_env *env, const char *text)
{
	sigjmp_buf *out = way_out;

	(void)env, (void)text;
	if (out != NULL) {
		way_out = NULL;
		siglongjmp(*out, 1);
	}
}

/* Each time anew: others may have set theirs since. */
static void
take_over(int number, struct sigaction *before)
{
	struct sigaction ours = { .sa_sigaction = caught,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	struct sigaction old;

	sigemptyset(&ours.sa_mask);
	if (sigaction(number, &ours, &old) == 0 &&
	    ((old.sa_flags & SA_SIGINFO) == 0 || old.sa_sigaction != caught))
		*before = old;
}

void
index_guard_install(MDB_env *env)
{
	if (env != NULL)
		(void)mdb_env_set_assert(env, asserted);
	take_over(SIGSEGV, &before_segv);
	take_over(SIGBUS, &before_bus);
}

int
index_guarded(index_guarded_call *call, void *with)
{
	sigjmp_buf here, *volatile outer = way_out;
	int result;

	if (sigsetjmp(here, 0) != 0) {
		way_out = outer;
		return MDB_PANIC;
	}
	way_out = &here;
	result = call(with);
	way_out = outer;
	return result;
}
