/* include/segmap/elf.h - what an ELF file says of itself, as far as segmap needs it. */
#ifndef SEGMAP_ELF_H
#define SEGMAP_ELF_H

#include <segmap/segment.h>
#include <stddef.h>

/* Where the names of pieces come from. */
enum segmap_sections_from {
	SEGMAP_SECTIONS_HEADERS, /* section headers */
	SEGMAP_SECTIONS_PARTS,	 /* program and dynamic headers */
	SEGMAP_SECTIONS_NONE,
};

/* segmap_elf.stack_prot: the file says nothing of its stack. */
enum { SEGMAP_NO_STACK = -1 };

/* A section header, or a part of the file that a program or dynamic header tells of. */
struct segmap_section {
	const char *name; /* raw bytes, may be hostile; owned by the ELF object */
	uint64_t vaddr;	  /* sh_addr */
	uint64_t off;	  /* sh_offset: bytes from the ELF header */
	uint64_t size;	  /* sh_size; neither vaddr + size nor off + size overflows */
	bool alloc;	  /* SHF_ALLOC: the program loads it */
	bool nobits;	  /* SHT_NOBITS: no bytes in the file */
	bool tls;	  /* SHF_TLS: with nobits it takes no address space (.tbss) */
	bool part;	  /* no section: named after a header, "[dynamic]" */
};

/* What a stretch of the file or of the address range holds. */
enum segmap_label_kind {
	SEGMAP_LABEL_SECTION,
	SEGMAP_LABEL_EHDR,
	SEGMAP_LABEL_PHDRS,
	SEGMAP_LABEL_SHDRS,
};

/*
 * A labelled range. The labels of one array are sorted and do not overlap, so
 * that a binary search answers "what is here": where sections overlap, the one
 * that starts first keeps the bytes, and a header keeps its bytes always.
 */
struct segmap_label {
	uint64_t start, end; /* [start, end): vaddr or off */
	enum segmap_label_kind kind;
	uint32_t section; /* index in sections; unless a header */
	uint64_t off;	  /* off of the byte at start; of no meaning if nobits */
	bool nobits;
};

/* A name that the dynamic linker is to find a file for, in the order of the dynamic section. */
struct segmap_needed {
	const char *name;
	enum segmap_needed_kind {
		SEGMAP_NEEDED,	  /* DT_NEEDED */
		SEGMAP_FILTER,	  /* DT_FILTER: glibc loads it like DT_NEEDED, and searches it first */
		SEGMAP_AUXILIARY, /* DT_AUXILIARY: the same, but it may be missing */
	} kind;
};

/* A symbol version that an object wants of another (DT_VERNEED) or has (DT_VERDEF). */
struct segmap_version {
	const char *name; /* "GLIBC_2.34" */
	const char *file; /* of DT_VERNEED: the name in DT_NEEDED of who should have it; else NULL */
	uint32_t hash;	  /* as it stands in the file */
	bool weak;	  /* VER_FLG_WEAK: it may be missing */
};

/*
 * What the dynamic section tells the dynamic linker: of several, that of the
 * last PT_DYNAMIC. Only what was asked for with SEGMAP_WANT_LINKING has it. All
 * names are raw bytes that belong to it; one that cannot be read is left out. Of
 * a tag that stands there twice the last counts, as it does in glibc
 * (elf/get-dynamic-info.h).
 */
struct segmap_linking {
	struct segmap_needed *needed;
	size_t n_needed;
	const char *rpath, *runpath;  /* DT_RPATH, DT_RUNPATH; NULL if there is none */
	uint64_t flags, flags_1;      /* DT_FLAGS (DF_ORIGIN …), DT_FLAGS_1 (DF_1_NODEFLIB …) */
	bool bind_now;		      /* by DT_BIND_NOW or one of the flags */
	uint64_t plt_got;	      /* DT_PLTGOT: vaddr; 0 if there is none */
	uint64_t n_plt;		      /* relocations of DT_JMPREL: functions that can be bound lazily */
	int64_t debug_entry; /* index of DT_DEBUG in the dynamic section; -1 if there is none */
	struct segmap_relocations {
		uint64_t vaddr, size; /* bytes; 0, 0 if there is none */
	} rel, rela;	     /* DT_REL and DT_RELA */
	bool has_relr;		      /* DT_RELR: relative relocations as a bitmap */
	bool has_audit;		      /* DT_AUDIT or DT_DEPAUDIT: a program brings auditing libraries */
	bool has_constructors;	      /* DT_INIT, or a DT_INIT_ARRAY or DT_PREINIT_ARRAY that is not
					 empty: code of it runs before main() */
	struct segmap_version *wanted; /* DT_VERNEED */
	size_t n_wanted;
	struct segmap_version *defined; /* DT_VERDEF */
	size_t n_defined;
	bool defines_versions;	/* it has a DT_VERDEF */
	bool versions_cut_short; /* more versions than are believed, or unreadable ones: what is
				    not in the lists above can still be there */
	char **strings;		/* what the names point into */
	size_t n_strings, cap_strings;
};

/*
 * One ELF object as it stands in a file. Everything belongs to the object.
 * Immutable once parsed, shared by all images made of it.
 */
struct segmap_elf {
	unsigned int class;	      /* 32 or 64 */
	unsigned int machine;	      /* EM_X86_64 …: e_machine, or what the kernel takes it for */
	unsigned int type;	      /* ET_EXEC or ET_DYN */
	unsigned char osabi, abi_version; /* EI_OSABI, EI_ABIVERSION */
	bool ident_padded;	      /* bytes of e_ident behind EI_ABIVERSION are not zero */
	bool other_version;	      /* e_version is not EV_CURRENT */
	bool big_endian;	      /* the file's byte order */
	unsigned char ident_class, ident_data, ident_version; /* EI_CLASS, EI_DATA and EI_VERSION as
								 they stand */
	unsigned int header_machine;  /* e_machine as it stands */
	bool header_misleads;	      /* these four are not what the kernel takes the file for */
	bool foreign;		      /* other machine or byte order than segmap's own */
	uint64_t entry;		      /* e_entry: vaddr */
	uint64_t elf_off;	      /* of the ELF header in the file; 0 but for files in files */
	uint64_t size;		      /* bytes of the file from the ELF header on */
	uint64_t claimed;	      /* bytes: what its sections, or its program headers but PT_LOAD,
					 say to have in the file, all together; in an honest file
					 no more than size */
	uint64_t phdrs, phdrs_end;    /* off of the program headers, [start, end); 0, 0 if none */
	struct segmap_segment *segments; /* PT_LOAD and PT_GNU_RELRO, in table order */
	size_t n_segments;
	struct segmap_section *sections; /* in table order, without the null section */
	size_t n_sections;
	enum segmap_sections_from sections_from;
	const char *sections_problem;  /* why there are no section headers; NULL if there are,
					  or if the file just has none */
	struct segmap_label *by_vaddr; /* allocated sections and headers that a PT_LOAD maps */
	size_t n_by_vaddr;
	struct segmap_label *by_off;   /* everything with bytes in the file */
	size_t n_by_off;
	char *build_id; /* lower-case hex; NULL if none */
	char *soname;	/* DT_SONAME, raw bytes; NULL if none */
	char *interp;	/* PT_INTERP, raw bytes; NULL if none */
	bool bad_interp; /* PT_INTERP is no path that the kernel takes (fs/binfmt_elf.c) */
	int stack_prot;	 /* of the last PT_GNU_STACK; SEGMAP_NO_STACK if there is none */
	uint64_t dynamic, dynamic_end; /* vaddr of the last PT_DYNAMIC, [start, end); 0, 0 if none */
	bool has_empty_dynamic;	       /* p_filesz of a PT_DYNAMIC is 0: glibc 2.35 takes no such library */
	bool dynamic_writable;	       /* PF_W of PT_DYNAMIC: glibc writes to it then only */
	bool textrel; /* DT_TEXTREL or DF_TEXTREL; looked for together with soname */
	bool abi_note; /* NT_GNU_ABI_TAG: linked with glibc's start files; looked for with linking */
	/* GNU_PROPERTY_X86_ISA_1_NEEDED: a bit for each level of x86-64 that it needs, 1 the baseline,
	 * 2 x86-64-v2 and so on; 0 if it says none; looked for with linking. */
	uint32_t isa_needed;
	struct segmap_linking *linking; /* NULL if it was not asked for, or nothing is linked */
	char *names;	/* what sections[].name point into */
};

/* The label of the byte at @at, or NULL; with NULL, *@until is where the next label starts
 * (UINT64_MAX if none does). */
SEGMAP_API const struct segmap_label *segmap_label_find(const struct segmap_label *labels,
							size_t n_labels, uint64_t at,
							uint64_t *until);

/* elf.h's EM_ name of @machine without EM_, or NULL if this version has none. */
SEGMAP_API const char *segmap_machine_name(unsigned int machine);

/* Bytes of a page on most systems for @machine; 4096 where this version knows nothing else. */
SEGMAP_API uint64_t segmap_usual_page_size(unsigned int machine);

SEGMAP_API void segmap_elf_free(struct segmap_elf *elf);

#endif
