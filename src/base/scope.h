/* src/base/scope.h - cleanup when a scope ends; ownership leaves it visibly, by return_ptr(). */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <dirent.h>
#include <segmap/error.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free_(void *pointer)
{
	free(*(void **)pointer);
}

static inline void scope_close_(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_closedir_(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void scope_error_free_(struct segmap_error **error)
{
	segmap_error_free(*error);
}

#define scope_free __attribute__((cleanup(scope_free_)))
#define scope_close __attribute__((cleanup(scope_close_)))
#define scope_closedir __attribute__((cleanup(scope_closedir_)))
#define scope_error __attribute__((cleanup(scope_error_free_)))

/* The value of @pointer, which the scope no longer owns. */
#define return_ptr(pointer)                            \
	({                                             \
		__typeof__(pointer) leaving = (pointer); \
		(pointer) = NULL;                      \
		leaving;                               \
	})

/* Likewise for a file descriptor. */
static inline int return_fd(int *fd)
{
	int leaving = *fd;

	*fd = -1;
	return leaving;
}

/*
 * Make room for one more element: doubles *@array of *@capacity elements of
 * @size bytes each once @count has reached it. Returns false if there is no
 * memory; the array is then as it was.
 */
static inline bool grow(void *array, size_t *capacity, size_t count, size_t size)
{
	void **at = array;
	size_t bigger = *capacity ? *capacity * 2 : 16;
	void *moved;

	if (count < *capacity)
		return true;
	moved = reallocarray(*at, bigger, size);
	if (!moved)
		return false;
	*at = moved;
	*capacity = bigger;
	return true;
}

#endif
