/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_COMPAT_CRASH_H
#define LIB_BASE_COMPAT_CRASH_H

/*
 * Where a process was when a signal came, of what the handler was given
 * (sigaction(2), SA_SIGINFO). 0: not known on this machine.
 */

#include <stdint.h>
#include <ucontext.h>

static inline uintptr_t
crash_instruction(const void *context)
{
#if defined(__x86_64__)
	const ucontext_t *c = context;

	return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	const ucontext_t *c = context;

	return (uintptr_t)c->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

static inline uintptr_t
crash_stack(const void *context)
{
#if defined(__x86_64__)
	const ucontext_t *c = context;

	return (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	const ucontext_t *c = context;

	return (uintptr_t)c->uc_mcontext.sp;
#else
	(void)context;
	return 0;
#endif
}

#endif
