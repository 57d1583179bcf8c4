/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_FOLDER_EVENTS_H
#define LIB_TABLE_FOLDER_EVENTS_H

/*
 * What appears in folders, goes and is renamed, by name: the kernel tells it
 * (inotify(7)) to who could read the folder when it asked, whatever has become
 * of its rights. One queue for the process, which it never waits for.
 */

/*
 * From now on, for as long as the process lives. A number, the same for the
 * same folder; or -1: it cannot be told here, as on file systems that other
 * machines change as well.
 */
int folder_events_begin(int folder);
/*
 * What has happened since the last call. "name" is NULL where more has happened
 * than the kernel keeps: number is -1 then, and any of them may have changed.
 */
void folder_events_read(void (*told)(int number, const char *name));

#endif
