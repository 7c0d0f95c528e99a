// What the agent wrote over time: lengths, layer types, kernels.
blockqnn.distributions = (() => ({ build: () => blockqnn.section("distributions", "What the agent wrote", "") }))();
