/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the handler runs in a process of which nothing is certain any
 * more. It allocates nothing, takes no lock, calls nothing that may, and
 * believes no pointer: what it reads of the stack may fail, and ends that part
 * alone. It says where code is, in offsets; nothing of what is in memory.
 */
#include "lib/log/log_crash.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/compat_crash.h"
#include "lib/log/log_output.h"

enum {
	STACK = 32 * 1024,
	OBJECTS = 64, /* the program and its libraries */
	OBJECT_NAME = 32,
	WORDS = 1024, /* of the stack that are looked at */
	CALLERS = 24, /* that are told */
};

/* Code in memory, as it was when the program began. */
struct object {
	uintptr_t start, end; /* of what can be executed */
	uintptr_t base; /* where the file's address 0 is */
	char name[OBJECT_NAME];
};

static struct {
	bool installed;
	struct object objects[OBJECTS];
	size_t count;
	volatile sig_atomic_t reporting;
	volatile sig_atomic_t reading; /* the stack: may fail */
	sigjmp_buf unreadable;
} crash;

/* ---- text, without stdio ---- */

struct line {
	size_t n;
	char text[PIPE_BUF];
};

static void
add(struct line *l, const char *text)
{
	size_t n = strlen(text), room = sizeof(l->text) - 1 - l->n;

	if (n > room)
		n = room;
	memcpy(l->text + l->n, text, n);
	l->n += n;
}

static void
add_number(struct line *l, uintptr_t number, unsigned int radix)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[number % radix];
		number /= radix;
	} while (number > 0);
	add(l, digits + at);
}

static void
begin(struct line *l, int number)
{
	l->n = 0;
	add(l, "P ");
	add(l, log_output_tag());
	add(l, "[");
	add_number(l, (uintptr_t)getpid(), 10);
	add(l, "]: panic: signal ");
	add_number(l, (uintptr_t)number, 10);
}

static void
end(struct line *l)
{
	l->text[l->n++] = '\n';
	log_output_last(l->text, l->n);
}

/* ---- places ---- */

static const struct object *
object_at(uintptr_t place)
{
	for (size_t i = 0; i < crash.count; i++)
		if (place >= crash.objects[i].start &&
		    place < crash.objects[i].end)
			return &crash.objects[i];
	return NULL;
}

static void
add_place(struct line *l, uintptr_t place)
{
	const struct object *o = object_at(place);

	if (o != NULL) {
		add(l, o->name);
		add(l, "+");
		place -= o->base;
	}
	add(l, "0x");
	add_number(l, place, 16);
}

static void
take_name(struct object *o, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	/* the program itself has no name here */
	if (path[0] == '\0')
		path = program_invocation_short_name;
	else if (slash != NULL)
		path = slash + 1;
	n = strnlen(path, sizeof(o->name) - 1);
	memcpy(o->name, path, n);
	o->name[n] = '\0';
}

static int
take_object(struct dl_phdr_info *info, size_t size, void *with)
{
	struct object *o = &crash.objects[crash.count];

	(void)size, (void)with;
	*o = (struct object){ .start = UINTPTR_MAX, .base = info->dlpi_addr };
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
			continue;
		if (start < o->start)
			o->start = start;
		if (start + p->p_memsz > o->end)
			o->end = start + p->p_memsz;
	}
	take_name(o, info->dlpi_name);
	crash.count += o->start < o->end;
	return crash.count == OBJECTS;
}

/* ---- the report ---- */

/* By somebody, or by ourselves (abort), and not by what the processor did. */
static bool
was_sent(const siginfo_t *info)
{
	return info->si_code <= 0;
}

static void
tell_where(int number, const siginfo_t *info, uintptr_t place)
{
	struct line l;

	begin(&l, number);
	if (was_sent(info) && info->si_pid != getpid()) {
		add(&l, ", sent by process ");
		add_number(&l, (uintptr_t)info->si_pid, 10);
		add(&l, ",");
	}
	if (place != 0) {
		add(&l, " at ");
		add_place(&l, place);
	}
	/* SI_KERNEL: one that is no address at all, and is not told */
	if (!was_sent(info) && info->si_code != SI_KERNEL &&
	    (number == SIGSEGV || number == SIGBUS)) {
		add(&l, ", address 0x");
		add_number(&l, (uintptr_t)info->si_addr, 16);
	}
	end(&l);
}

/* Whatever lies there, what AddressSanitizer has put between it too. */
__attribute__((no_sanitize_address, noinline)) static uintptr_t
word_at(const volatile uintptr_t *place)
{
	return *place;
}

/* Of a jump to nowhere these alone say where it came from. */
static void
tell_callers(int number, uintptr_t stack)
{
	const volatile uintptr_t *word =
	    (const volatile uintptr_t *)(stack & ~(sizeof(*word) - 1));
	volatile size_t found = 0;
	static struct line l; /* survives the jump */

	begin(&l, number);
	add(&l, " perhaps called from");
	if (sigsetjmp(crash.unreadable, 0) == 0) {
		crash.reading = 1;
		for (size_t i = 0; i < WORDS && found < CALLERS; i++) {
			uintptr_t value = word_at(&word[i]);

			if (object_at(value) == NULL)
				continue;
			add(&l, found == 0 ? " " : ", ");
			add_place(&l, value);
			found = found + 1;
		}
	}
	crash.reading = 0;
	if (found > 0)
		end(&l);
}

static void
by_default(int number)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };

	sigemptyset(&usual.sa_mask);
	(void)sigaction(number, &usual, NULL);
}

/* Where the filter lets nobody send a signal, not to himself either, another
 * way to the same end. */
static void
die_of(int number)
{
	volatile char *volatile nowhere = NULL;

	by_default(number);
	(void)raise(number);
	by_default(SIGSEGV);
	*nowhere = 0;
}

static void
crashed(int number, siginfo_t *info, void *context)
{
	if (crash.reporting) {
		if (crash.reading)
			siglongjmp(crash.unreadable, 1);
	} else {
		crash.reporting = 1;
		tell_where(number, info, crash_instruction(context));
		if (crash_stack(context) != 0)
			tell_callers(number, crash_stack(context));
	}
	if (was_sent(info))
		die_of(number);
	/* what the processor did happens again, at once */
	by_default(number);
}

void
log_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
		SIGABRT };
	static char stack[STACK]; /* one that has run out may be the reason */
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction ours = { .sa_sigaction = crashed,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction old;

	if (crash.installed || sigaltstack(&own, NULL) != 0)
		return;
	crash.installed = true;
	(void)dl_iterate_phdr(take_object, NULL);
	sigemptyset(&ours.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_DFL)
			(void)sigaction(signals[i], &ours, NULL);
}
