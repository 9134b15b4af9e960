// SPDX-License-Identifier: GPL-2.0-only
/*
 * luo NUMBER - make the parts, NUMBER 0, or after a kexec every case, one after
 * the other; then what was never finished is given up, and the parts are made
 * again for the next one.
 */
#include "luo.h"

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "order", case_order },
	{ "only", case_only },
	{ "caps", case_caps },
	{ "limit", case_limit },
	{ "fault", case_fault },
	{ "implied", case_implied },
	{ "bind", case_bind },
	{ "pending", case_pending },
	{ "died", case_died },
	{ "shared", case_shared },
	{ "efault", case_efault },
	{ "closed", case_closed },
	{ "killed", case_killed },
	{ "loader", case_loader },
	{ "abandon", case_abandon },
};

/* The file "cases" of the scenario names those to run, one a line. */
static void run_cases(void)
{
	FILE *file = fopen("/scenario/cases", "r");
	char line[32];
	unsigned int i;

	check(file, "the scenario has no file \"cases\"");
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			if (!strcmp(cases[i].name, line))
				break;
		}
		check(i < ARRAY_SIZE(cases), "there is no case \"%s\"", line);
		say("case %s", line);
		cases[i].run();
	}
	fclose(file);
}

static void set_up(void)
{
	unsigned int i;

	must(memory_create(&state_mem, STATE_SESSION, STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	for (i = 0; i < SWEEPS; i++)
		state->sweep[i].nth = 1;
}

static void take_state(unsigned int nr)
{
	int session = must(luo_retrieve(STATE_SESSION));

	must(memory_adopt(&state_mem, must(luo_restore(session,
						       TOKEN_MEMORY))));
	must(luo_finish(session));
	close(session);
	state = state_mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexec == nr, "this is not the state of kexec %u", nr);
	check(fact("incoming/unfinished") == PARTS, "%u contexts came",
	      fact("incoming/unfinished"));
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: luo NUMBER");
	nr = atoi(argv[1]);
	background();
	name_parts();
	if (nr) {
		take_state(nr);
		faults_on();
		run_cases();
	} else {
		set_up();
	}
	hand_over(nr + 1);
}
