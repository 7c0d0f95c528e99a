// Where the seconds went, and why blocks were not trained.
blockqnn.spending = (() => ({ build: () => blockqnn.section("spending", "Where the time went", "") }))();
