/* src/cli/status.h - exit statuses. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

/* Where several apply: usage before differs before some before not shown. */
enum status {
	STATUS_SHOWN = 0,
	STATUS_NOT_SHOWN = 1, /* nothing could be shown, or a program is predicted to be refused */
	STATUS_USAGE = 2,
	STATUS_DIFFERS = 3,   /* --verify, --diff or --audit found something */
	STATUS_SOME = 64,     /* some targets were shown, some not */
};

#endif
