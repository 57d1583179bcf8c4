/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_RECORD_H
#define TESTS_CRASH_RECORD_H

/*
 * What programs change on disk, and what they tell others, in the order in
 * which it happens: for whoever wants to know what a power cut would leave.
 *
 * One process at a time is between the entry of a call that changes files and
 * its end, so that the record's order is the true one; the tracer sees to it.
 * What is told counts as told when the call begins.
 *
 * The record is a file of events, each a line of columns with a tab between
 * them, and behind it the event's bytes:
 *
 *	WHAT INODE DIRECTORY NAME FROM-DIRECTORY FROM-NAME AT
 *	MODE UID GID MTIME BYTES
 *
 *	made	an inode got its first name (bytes: where a link points to)
 *	linked	one more name; renamed, removed: likewise
 *	wrote	these bytes, AT an offset
 *	sized	to AT bytes, by truncation or allocation
 *	meta	mode, owners or mtime
 *	synced	fsync; AT 0: fdatasync, or a write to O_DSYNC
 *	all	syncfs
 *	waited	sync_file_range, until all bytes so far were written
 *	told	bytes to a socket or a pipe; NAME: the program
 *
 * MODE (octal) to MTIME (nanoseconds) are the inode's behind the call. Inodes
 * are numbers of the file system: those of files that are gone come again,
 * with "made". Not recorded: what files without a name contain, memory that
 * is mapped, what fails. A call that is recorded in part only ends the tracer.
 */

#include <stdbool.h>

#include "tests/crash/calls.h"

/* Everything from now on goes to this file. */
void record_begin(const char *path);

/* The file is whole. How many events it has. */
unsigned long record_end(void);

/*
 * A process is about to make this call. True: it changes files; it has to be
 * stopped at the call's end, for record_left, and no other let in meanwhile.
 */
bool record_entered(const struct call *call);

/* The call has ended; result as the kernel has it. */
void record_left(long result);

#endif
