/* include/segmap/segmap.h - all of libsegmap: which parts of which ELF files a process's memory is
 * made of. */
#ifndef SEGMAP_SEGMAP_H
#define SEGMAP_SEGMAP_H

#include <segmap/at.h>
#include <segmap/audit.h>
#include <segmap/call.h>
#include <segmap/census.h>
#include <segmap/compare.h>
#include <segmap/core.h>
#include <segmap/diff.h>
#include <segmap/document.h>
#include <segmap/elf.h>
#include <segmap/error.h>
#include <segmap/file.h>
#include <segmap/image.h>
#include <segmap/launch.h>
#include <segmap/layout.h>
#include <segmap/limits.h>
#include <segmap/memory.h>
#include <segmap/page_state.h>
#include <segmap/piece.h>
#include <segmap/predict.h>
#include <segmap/process.h>
#include <segmap/run.h>
#include <segmap/saved.h>
#include <segmap/segment.h>
#include <segmap/summary.h>
#include <segmap/symbols.h>
#include <segmap/text.h>
#include <segmap/trace.h>
#include <segmap/vma.h>
#include <segmap/watch.h>
#include <segmap/words.h>
#include <segmap/world.h>

#endif
