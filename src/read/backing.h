/* src/read/backing.h - finding and opening the file behind a VMA. */
#ifndef READ_BACKING_H
#define READ_BACKING_H

#include <segmap/layout.h>

/*
 * Open the files behind @layout's VMAs, as seen from the process whose
 * /proc/PID is open as @process_dir. Nothing is opened for reading before
 * fstat has shown that it is a regular file and the right one.
 */
SEGMAP_MUST_CHECK struct segmap_error *backings_open(struct segmap_layout *layout, int process_dir,
						     struct segmap_files *files);

#endif
