/* include/segmap/file.h - the files behind VMAs: opened safely, parsed once. */
#ifndef SEGMAP_FILE_H
#define SEGMAP_FILE_H

#include <segmap/elf.h>
#include <sys/types.h>
#include <time.h>

/* Where the bytes of a file were read from. */
enum segmap_opened {
	SEGMAP_OPENED_NOT,
	SEGMAP_OPENED_MAP_FILES, /* /proc/PID/map_files: always the right file */
	SEGMAP_OPENED_EXE,	 /* /proc/PID/exe */
	SEGMAP_OPENED_FD,	 /* a descriptor that the process has open */
	SEGMAP_OPENED_ROOT,	 /* its path, seen from the process's root */
	SEGMAP_OPENED_PATH,	 /* its path, seen from here */
	SEGMAP_OPENED_MEMORY,	 /* the process's memory */
	SEGMAP_OPENED_CORE,
	SEGMAP_OPENED_SELF, /* segmap's own vdso */
};

/* What is known of a file that a process has mapped. */
enum segmap_status {
	SEGMAP_STATUS_OK,
	SEGMAP_STATUS_DELETED,	  /* unlinked, read all the same */
	SEGMAP_STATUS_REPLACED,	  /* another file has its path now */
	SEGMAP_STATUS_REWRITTEN,  /* the same inode may have changed since it was mapped */
	SEGMAP_STATUS_TRUNCATED,  /* it is shorter than what is mapped of it */
	SEGMAP_STATUS_UNREADABLE, /* with an error */
	SEGMAP_STATUS_MALFORMED,  /* with an error */
};

enum segmap_file_type {
	SEGMAP_FILE_REGULAR,
	SEGMAP_FILE_DEVICE, /* never opened for reading */
	SEGMAP_FILE_OTHER,
};

/*
 * The bytes of a file, opened once per run, however many processes map it.
 * Owned by a struct segmap_files.
 */
struct segmap_file {
	dev_t st_dev; /* as fstat says, not as maps does */
	ino_t st_ino;
	uint64_t size;	     /* bytes, as it was opened */
	uint64_t on_disk;    /* bytes that the file system holds for it */
	struct timespec ctime; /* the later of st_ctim and st_mtim */
	enum segmap_file_type type;
	int fd; /* -1: not open (no ELF file, or not readable) */
	bool parsed;
	struct segmap_elf **elfs; /* the ELF objects in it, by elf_off; empty before parsing */
	size_t n_elfs;
	struct segmap_error *error; /* why an ELF object in it could not be parsed; NULL if none */
};

/* All files of one run. */
struct segmap_files;

/* What is looked for in ELF objects only if it is wanted: few need it, and it costs reads. */
enum segmap_want {
	SEGMAP_WANT_SONAME = 1 << 0,  /* DT_SONAME and DT_TEXTREL */
	SEGMAP_WANT_LINKING = 1 << 1, /* struct segmap_linking and the ABI note */
	/* A file that was at its path for one process is believed to be there for the next with the
	 * same root and mount namespace: for a run over very many that takes but a moment. */
	SEGMAP_WANT_KNOWN_PATHS = 1 << 2,
};

/*
 * @page_size is this machine's, in bytes; a layout that is parsed can have another, and
 * does not go with layouts of other sizes then.
 * @wants is of enum segmap_want.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_files_new(uint64_t page_size, unsigned int wants, struct segmap_files **ret);
SEGMAP_API void segmap_files_free(struct segmap_files *files);

/*
 * Between two processes of a run over very many: forget what can be read only
 * through a process, and if more than @most files are open, close those that
 * are parsed; what needs one again opens it again. There must be no layout that
 * refers to @files.
 */
SEGMAP_API void segmap_files_let_go(struct segmap_files *files, size_t most);

#endif
