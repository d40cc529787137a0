/* include/segmap/predict.h - the map of a program before it runs. */
#ifndef SEGMAP_PREDICT_H
#define SEGMAP_PREDICT_H

#include <segmap/layout.h>
#include <segmap/world.h>

enum segmap_as {
	SEGMAP_AS_IT_IS, /* ET_EXEC, DF_1_PIE, or PT_INTERP and no DT_SONAME: a program */
	SEGMAP_AS_PROGRAM,
	SEGMAP_AS_LIBRARY,
};

struct segmap_predict_options {
	enum segmap_as as;
	uint64_t page_size; /* bytes; 0: this machine's, or the usual one of the file's machine */
	bool no_deps;	    /* the program and its interpreter only */
	bool no_aslr;	    /* addresses as they are without randomization */
	bool traced;	    /* it is run by a tracer that may not let it have other privileges:
			       AT_SECURE is set all the same (Linux security/commoncap.c:
			       cap_bprm_creds_from_file), which a note says */
};

/*
 * Predict the map that the file at @path will have at @moment (exec or entry).
 * Nothing is run. @world must outlive *@ret, which the caller correlates
 * (segmap_layout_correlate()) and frees. A file that is refused or killed is no
 * error: the prediction's outcome says so, and the map has what there is until then.
 *
 * Errors: @path cannot be opened, is no ELF file and no script, or is malformed.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_predict(const struct segmap_world *world, const char *path,
	       const struct segmap_predict_options *options, enum segmap_moment moment,
	       struct segmap_layout **ret);

#endif
