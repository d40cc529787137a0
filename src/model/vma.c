/* src/model/vma.c - one line of /proc/PID/maps. */
#include <endian.h>
#include <segmap/vma.h>
#include <string.h>
#include <sys/mman.h>

/* The value of each lower-case hex digit, plus one; 0 for every other byte. */
static const unsigned char hex_figures[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/*
 * The value of the eight lower-case hex digits at @text, all at once; false if
 * they are not. The digits that the value would be written with are compared
 * with those that are there, so whatever else stands there is found out.
 */
static inline bool parse_eight(const char *text, uint64_t *ret)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t bytes, nibbles, above_nine;

	memcpy(&bytes, text, sizeof(bytes));
	bytes = be64toh(bytes);
	nibbles = (bytes & 15 * ones) + (bytes >> 6 & ones) * 9;
	above_nine = (nibbles + 6 * ones) >> 4 & ones;
	if (nibbles + '0' * ones + above_nine * ('a' - '0' - 10) != bytes)
		return false;
	nibbles = (nibbles | nibbles >> 4) & 0x00ff00ff00ff00ff;
	nibbles = (nibbles | nibbles >> 8) & 0x0000ffff0000ffff;
	*ret = (nibbles | nibbles >> 16) & 0xffffffff;
	return true;
}

/* Lower-case hex as the kernel prints it: no sign, no 0x, 1 to 16 digits. */
static inline bool parse_hex(const char **at, const char *end, uint64_t *ret)
{
	const unsigned char *start = (const unsigned char *)*at, *digit = start;
	uint64_t value = 0;
	unsigned int figure;

	/* Addresses and offsets have eight digits at least. */
	if (end - *at >= 8 && parse_eight(*at, &value))
		digit += 8;
	for (; (figure = hex_figures[*digit]); digit++)
		value = (value << 4) + figure - 1;
	*at = (const char *)digit;
	*ret = value;
	return digit > start && digit - start <= 16;
}

/* As parse_hex() for a number of a few digits. */
static inline bool parse_short_hex(const char **at, uint64_t *ret)
{
	return parse_hex(at, *at, ret);
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
	const char *text = *at;

	if ((text[0] != 'r' && text[0] != '-') || (text[1] != 'w' && text[1] != '-') ||
	    (text[2] != 'x' && text[2] != '-') || (text[3] != 'p' && text[3] != 's'))
		return false;
	vma->prot = (text[0] == 'r' ? PROT_READ : 0) | (text[1] == 'w' ? PROT_WRITE : 0) |
		    (text[2] == 'x' ? PROT_EXEC : 0);
	vma->shared = text[3] == 's';
	*at += 4;
	return true;
}

static const char *parse_fields(const char *at, const char *end, struct segmap_vma *vma)
{
	uint64_t major, minor;

	if (!parse_hex(&at, end, &vma->start) || !parse_char(&at, '-') || !parse_hex(&at, end, &vma->end))
		return "it does not begin with an address range";
	if (vma->start >= vma->end)
		return "its address range is empty or turned round";
	if (!parse_char(&at, ' ') || !parse_perms(&at, vma))
		return "permissions like r-xp are missing after the range";
	if (!parse_char(&at, ' ') || !parse_hex(&at, end, &vma->off))
		return "a hexadecimal offset is missing after the permissions";
	if (!parse_char(&at, ' ') || !parse_short_hex(&at, &major) || !parse_char(&at, ':') ||
	    !parse_short_hex(&at, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return "a device like fe:01 is missing after the offset";
	if (!parse_char(&at, ' ') || !parse_decimal(&at, &vma->ino))
		return "an inode number is missing after the device";
	vma->dev_major = (uint32_t)major;
	vma->dev_minor = (uint32_t)minor;
	/* The kernel pads to column 73 with blanks; a name begins with none (seq_pad). */
	if (*at && *at != ' ')
		return "something other than a blank follows the inode number";
	while (*at == ' ')
		at++;
	vma->name = at;
	return NULL;
}

struct segmap_error *segmap_vma_parse(const char *line, struct segmap_vma *ret)
{
	struct segmap_vma vma;
	const char *problem = parse_fields(line, line + strlen(line), &vma);

	if (problem)
		return segmap_error_new(SEGMAP_ERROR_FORMAT, "", "%s", problem);
	*ret = vma;
	return NULL;
}

