/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOG_LOG_CRASH_H
#define LIB_LOG_LOG_CRASH_H

/*
 * What is known of a crash, into the log: no core file comes out of a process
 * that is confined, and often there is no second time.
 *
 *	panic: signal 11 at imapd-session+0x4f2c1, address 0x8
 *	panic: signal 11 perhaps called from imapd-session+0x51aa0, ...
 *
 * Offsets are those that addr2line(1) takes for that file. The second line has
 * what looks like return addresses on the stack, the last one first: some of
 * them may be of calls that have ended.
 *
 * SEGV, BUS, FPE, ILL and ABRT then do what they do by default. Those that
 * somebody else has set (a sanitizer) stay.
 */

/* Once in each program; a child of fork(2) has it too. */
void log_crashes(void);

#endif
