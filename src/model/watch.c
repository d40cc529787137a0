/* src/model/watch.c - what has become of VMAs. */
#include <segmap/watch.h>
#include <stdlib.h>

void segmap_followed_free(struct segmap_followed *followed)
{
	if (!followed)
		return;
	free(followed->marks);
	free(followed->stretches);
	free(followed);
}
