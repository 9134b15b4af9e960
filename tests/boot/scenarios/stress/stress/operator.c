// SPDX-License-Identifier: GPL-2.0-only
/* Threads of the operator. */
#include "operator.h"

static pthread_mutex_t jump_lock = PTHREAD_MUTEX_INITIALIZER;

static bool running(void)
{
	return !atomic_load(&live->stop);
}

/* A whole load keeps a CPU busy with digests: longer where all is slower. */
static void rest(unsigned int ms)
{
	for (ms *= live->pace; ms >= 5 && running(); ms -= 5)
		sleep_ms(5);
}

void *seal_thread(void *arg)
{
	struct rng rng = rng_for(500);

	while (running()) {
		switch (rng_below(&rng, 6)) {
		case 0:
			load_handover(false, rng_below(&rng, 60));
			break;
		case 1:
		case 2:
			load_handover(false, KILL_SEALED);
			rest(rng_below(&rng, 64));
			break;
		default:
			load_handover(false, KILL_NEVER);
		}
	}
	return arg;
}

void *load_thread(void *arg)
{
	int dev = must(handover_open());
	struct rng rng = rng_for(501);
	char output[OUTPUT_LEN];
	char *argv[] = { "kexec", "-u", NULL };
	int status;

	while (running()) {
		pthread_mutex_lock(&jump_lock);
		load_handover(true, rng_below(&rng, 3) ? KILL_NEVER :
					(int)rng_below(&rng, 600));
		if (rng_below(&rng, 2))
			sleep_ms(rng_below(&rng, 60));
		switch (rng_below(&rng, 3)) {
		case 0:
			status = run_kexec(output, argv, KILL_NEVER);
			if (status && !strstr(output, "busy"))
				wrong("kexec -u exited with %d: %s", status,
				      output);
			break;
		case 1:
			unseal(dev);
			break;
		default:
			must(load_plain(true));
			count(N_plain_loads);
		}
		/* Whatever that did, and whatever was killed. */
		unseal(dev);
		must(load_plain(false));
		pthread_mutex_unlock(&jump_lock);
		rest(rng_below(&rng, 100));
	}
	close(dev);
	return arg;
}

/* Jumps that the gate must refuse: the kernel was not loaded under the seal. */
static void jump_refused(void)
{
	char sentence[SENTENCE_LEN];
	int err = jump();

	if (err != -EBUSY)
		wrong("a jump with an iommufd preserved and no kernel under the seal: %s",
		      strerror(-err));
	handover_attr("last_refusal", sentence);
	if (gate_says(sentence))
		count(N_gate);
}

void *gate_thread(void *arg)
{
	struct rng rng = rng_for(502);
	char loaded[SENTENCE_LEN];
	unsigned int i;

	while (running()) {
		pthread_mutex_lock(&jump_lock);
		must(load_plain(true));
		count(N_plain_loads);
		/* Another thread's seal may be in place, and this kernel is of it */
		handover_attr("loaded", loaded);
		if (*loaded == '1') {
			must(load_plain(false));
			pthread_mutex_unlock(&jump_lock);
			continue;
		}
		for (i = 1 + rng_below(&rng, 20); i && running(); i--) {
			jump_refused();
			sleep_ms(rng_below(&rng, 10));
		}
		must(load_plain(false));
		pthread_mutex_unlock(&jump_lock);
		rest(rng_below(&rng, 300));
	}
	return arg;
}

static void read_sysfs(void)
{
	static const char *const names[] = {
		"state", "generation", "sealed_generation", "contexts",
		"records", "devices", "tables", "table_pages", "image_bytes",
		"loaded", "last_refusal", "format", "incoming/state",
		"incoming/unfinished", "incoming/retrieved",
	};
	static const char *const states[] = { "open", "sealed", NULL };
	char text[SENTENCE_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		handover_attr(names[i], text);
	handover_attr("state", text);
	if (!matches(text, states))
		wrong("state is %s with an iommufd preserved", text);
	if (!handover_number("contexts"))
		wrong("no contexts with an iommufd preserved");
}

static uint64_t ask(int dev, uint64_t *sealed_generation, struct rng *rng)
{
	struct iommu_handover_query query;
	char sentence[SENTENCE_LEN];

	must(handover_query(dev, &query, sentence));
	if (query.state != IOMMU_HANDOVER_OPEN &&
	    query.state != IOMMU_HANDOVER_SEALED)
		wrong("QUERY says state %u with an iommufd preserved",
		      query.state);
	if ((query.state == IOMMU_HANDOVER_SEALED) !=
	    !!query.sealed_generation ||
	    !query.image_len != !query.sealed_generation ||
	    query.sealed_generation > query.generation)
		wrong("QUERY: state %u, sealed generation %llu of %llu, image of %llu bytes",
		      query.state, LL(query.sealed_generation),
		      LL(query.generation), LL(query.image_len));
	if (query.sealed_generation &&
	    query.sealed_generation != *sealed_generation) {
		*sealed_generation = query.sealed_generation;
		count(N_seals);
	}
	/* Not always, so that a load comes to its end now and then. */
	atomic_store(&live->sealed, query.state == IOMMU_HANDOVER_SEALED &&
				    rng_below(rng, 2));
	return query.generation;
}

static void one_snapshot(int dev)
{
	char sentence[SENTENCE_LEN];
	int err = handover_snapshot(dev, sentence, NULL);

	count(N_snapshots);
	if (err)
		check_refusal("SNAPSHOT", err, sentence, false);
}

/* A page that is no image, of this generation or an older one. */
static void false_seal(int dev, uint64_t generation)
{
	static char page[GUEST_PAGE];
	char sentence[SENTENCE_LEN];
	int err = handover_seal(dev, generation, page, sizeof(page), sentence);

	check_refusal("SEAL", err, sentence, true);
}

void *probe_thread(void *arg)
{
	int dev = must(handover_open());
	uint64_t last = 0, sealed = 0, now;
	struct rng rng = rng_for(503);

	while (running()) {
		now = ask(dev, &sealed, &rng);
		if (now < last)
			wrong("the generation was %llu and is %llu", LL(last),
			      LL(now));
		last = now;
		switch (rng_below(&rng, 16)) {
		case 0:
			one_snapshot(dev);
			break;
		case 1:
			false_seal(dev, now);
			break;
		case 2:
			false_seal(dev, now - 1);
			break;
		case 3:
			if (!rng_below(&rng, 8))
				unseal(dev);
			break;
		case 4:
			read_sysfs();
			break;
		}
		sleep_ms(1 + rng_below(&rng, 6));
	}
	close(dev);
	return arg;
}
