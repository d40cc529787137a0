/* src/model/vma.c - one line of /proc/PID/maps. */
#include <segmap/vma.h>
#include <string.h>
#include <sys/mman.h>

/* Lower-case hex as the kernel prints it: no sign, no 0x, at least one digit. */
static bool parse_hex(const char **at, uint64_t *ret)
{
	const char *start = *at;
	uint64_t value = 0;

	for (;; ++*at) {
		unsigned int digit;

		if (**at >= '0' && **at <= '9')
			digit = (unsigned int)(**at - '0');
		else if (**at >= 'a' && **at <= 'f')
			digit = (unsigned int)(**at - 'a' + 10);
		else
			break;
		if (value >> 60)
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return *at > start;
}

static bool parse_decimal(const char **at, uint64_t *ret)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
			return false;
	*ret = value;
	return *at > start;
}

static bool parse_char(const char **at, char expected)
{
	if (**at != expected)
		return false;
	++*at;
	return true;
}

/* "r-xp": each place has its letter or a dash. */
static bool parse_perms(const char **at, struct segmap_vma *vma)
{
	static const struct {
		char letter;
		int prot;
	} places[] = { { 'r', PROT_READ }, { 'w', PROT_WRITE }, { 'x', PROT_EXEC } };

	for (size_t i = 0; i < 3; i++) {
		if (parse_char(at, places[i].letter))
			vma->prot |= places[i].prot;
		else if (!parse_char(at, '-'))
			return false;
	}
	vma->shared = **at == 's';
	return parse_char(at, 's') || parse_char(at, 'p');
}

static const char *parse_fields(const char *at, struct segmap_vma *vma)
{
	uint64_t major, minor;

	if (!parse_hex(&at, &vma->start) || !parse_char(&at, '-') || !parse_hex(&at, &vma->end))
		return "it does not begin with an address range";
	if (vma->start >= vma->end)
		return "its address range is empty or turned round";
	if (!parse_char(&at, ' ') || !parse_perms(&at, vma))
		return "permissions like r-xp are missing after the range";
	if (!parse_char(&at, ' ') || !parse_hex(&at, &vma->off))
		return "a hexadecimal offset is missing after the permissions";
	if (!parse_char(&at, ' ') || !parse_hex(&at, &major) || !parse_char(&at, ':') ||
	    !parse_hex(&at, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return "a device like fe:01 is missing after the offset";
	if (!parse_char(&at, ' ') || !parse_decimal(&at, &vma->ino))
		return "an inode number is missing after the device";
	vma->dev_major = (uint32_t)major;
	vma->dev_minor = (uint32_t)minor;
	/* The kernel pads to column 73 with blanks; a name begins with none (seq_pad). */
	if (*at && *at != ' ')
		return "something other than a blank follows the inode number";
	vma->name = at + strspn(at, " ");
	return NULL;
}

struct segmap_error *segmap_vma_parse(const char *line, struct segmap_vma *ret)
{
	struct segmap_vma vma = { 0 };
	const char *problem = parse_fields(line, &vma);

	if (problem)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, "", "%s", problem);
	*ret = vma;
	return NULL;
}

void segmap_perms_format(int prot, bool shared, char ret[static 5])
{
	ret[0] = prot & PROT_READ ? 'r' : '-';
	ret[1] = prot & PROT_WRITE ? 'w' : '-';
	ret[2] = prot & PROT_EXEC ? 'x' : '-';
	ret[3] = shared ? 's' : 'p';
	ret[4] = '\0';
}
