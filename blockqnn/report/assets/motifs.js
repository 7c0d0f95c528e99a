// What the best blocks have in common, compared with all trained ones.
blockqnn.motifs = (() => ({ show: () => blockqnn.section("motifs", "What the best have in common", "") }))();
