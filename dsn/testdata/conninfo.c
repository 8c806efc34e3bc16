/*
 * What libpq makes of connection strings, for comparison with package dsn.
 *
 * conninfo version: prints PQlibVersion.
 * conninfo defaults: prints PQconndefaults, one line.
 * conninfo parse: for each line of standard input, a connection string in
 *     hexadecimal, prints one line of what PQconninfoParse gives.
 * conninfo resolve: the same, of what PQconnectStart resolves from string,
 *     service file, environment and defaults.
 *
 * A line is "error", or "ok" with " keyword=VALUE" for each value that is set,
 * VALUE in hexadecimal. The mode resolve adds #pass, #host and #port, of
 * the host that it came to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

static void
print_hex(const char *text)
{
	for (; *text; text++)
		printf("%02x", (unsigned char) *text);
}

static void
print_options(PQconninfoOption *options)
{
	PQconninfoOption *o;

	if (options == NULL)
	{
		printf("error");
		return;
	}
	printf("ok");
	for (o = options; o->keyword; o++)
	{
		if (o->val == NULL)
			continue;
		printf(" %s=", o->keyword);
		print_hex(o->val);
	}
	PQconninfoFree(options);
}

static void
print_extra(const char *name, const char *value)
{
	printf(" #%s=", name);
	print_hex(value ? value : "");
}

static int
starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether the options were good, even if no server could be reached. */
static int
options_valid(PGconn *conn)
{
	const char *message = PQerrorMessage(conn);

	return PQstatus(conn) != CONNECTION_BAD ||
		starts_with(message, "connection to server") ||
		starts_with(message, "could not translate host name");
}

static void
resolve(const char *text)
{
	PGconn	   *conn = PQconnectStart(text);

	if (conn == NULL || !options_valid(conn))
		printf("error");
	else
	{
		print_options(PQconninfo(conn));
		print_extra("pass", PQpass(conn));
		print_extra("host", PQhost(conn));
		print_extra("port", PQport(conn));
	}
	PQfinish(conn);
}

int
main(int argc, char **argv)
{
	static char line[1 << 20];
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "version") == 0)
	{
		printf("%d\n", PQlibVersion());
		return 0;
	}
	if (strcmp(mode, "defaults") == 0)
	{
		print_options(PQconndefaults());
		printf("\n");
		return 0;
	}
	while (fgets(line, sizeof line, stdin))
	{
		size_t		n = strcspn(line, "\n") / 2;
		size_t		i;
		char	   *text = malloc(n + 1);

		for (i = 0; i < n; i++)
		{
			unsigned	byte;

			sscanf(line + 2 * i, "%2x", &byte);
			text[i] = (char) byte;
		}
		text[n] = '\0';
		if (strcmp(mode, "resolve") == 0)
			resolve(text);
		else
			print_options(PQconninfoParse(text, NULL));
		printf("\n");
		free(text);
	}
	return 0;
}
