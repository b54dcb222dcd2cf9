#include "tools/iscsiutil/secret.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "sys/confine.h"
#include "tools/common/args.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"

/*
 * One line of the standard input without its end.  Unbuffered, so that no copy
 * stays behind, and so that a second secret finds the second line.
 */
static bool
read_line(char line[SECRET_BYTES])
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, &line[n], 1)) == 1 && line[n] != '\n')
		if (line[n] == '\0' || ++n == SECRET_BYTES - 1)
			return false;
	if (got < 0 || (got == 0 && n == 0))
		return false;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	return true;
}

/* Is there a character that only a key combination gives (^C, say)? */
static bool
is_broken_off(const char *line)
{
	for (; *line != '\0'; line++)
		if ((unsigned char)*line < 0x20)
			return true;
	return false;
}

static bool
ask(const char *what, const char *again, char line[SECRET_BYTES])
{
	bool ok;

	fprintf(stderr, "%s%s: ", what, again);
	fflush(stderr);
	ok = read_line(line) && !is_broken_off(line);
	fputc('\n', stderr);
	return ok;
}

/*
 * The terminal's own signals are off meanwhile: they would leave it without
 * an echo.  A ^C arrives as a character and breaks the question off.
 */
static bool
read_terminal(const char *what, char secret[SECRET_BYTES], const struct termios *was)
{
	struct termios quiet = *was;
	char again[SECRET_BYTES] = "";
	bool ok, same;

	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
		return false;
	ok = ask(what, "", secret) && ask(what, " again", again);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, was); /* as it was; there is nothing else to do */
	same = ok && strcmp(secret, again) == 0;
	explicit_bzero(again, sizeof(again));
	if (ok && !same)
		say_failure(
		    IPC_ERR_INTERNAL, NULL, "type the same twice", "the two are not the same");
	else if (!ok)
		say_failure(IPC_ERR_INTERNAL, NULL, "run it again",
		    "nothing was changed: the question was broken off");
	return same;
}

static bool
read_secret(const char *what, char secret[SECRET_BYTES])
{
	struct termios was;

	if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0)
		return read_terminal(what, secret, &was);
	if (read_line(secret))
		return true;
	say_failure(IPC_ERR_INTERNAL, NULL,
	    "write it to the standard input, one line and no longer than 1023 bytes",
	    "there is no %s on the standard input", what);
	return false;
}

enum status
secret_put(json_t *args, const char *key, const char *word, const char *what)
{
	char secret[SECRET_BYTES] = "";
	enum status status = STATUS_OK;

	confine_private();
	if (strcmp(word, "-") == 0) {
		status = read_secret(what, secret) ? STATUS_OK : STATUS_FAILED;
	} else if (!ask_is_default(word)) {
		if (strlen(word) < sizeof(secret)) {
			memcpy(secret, word, strlen(word) + 1);
		} else {
			say_problem("use a shorter one", "the %s is too long", what);
			status = STATUS_USAGE;
		}
		/* The words of a command line are the program's to change. */
		explicit_bzero((char *)(uintptr_t)word, strlen(word));
	}
	if (status == STATUS_OK && json_object_set_new(args, key, json_string(secret)) != 0) {
		status = STATUS_USAGE;
		say_problem("write it in UTF-8, or as 0x and hexadecimal digits",
		    "the %s cannot be sent: it is not valid UTF-8", what);
	}
	explicit_bzero(secret, sizeof(secret));
	return status;
}
