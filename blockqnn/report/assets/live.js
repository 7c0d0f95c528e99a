// Asks the server of a page that is served for what is new.
blockqnn.live = { start: () => {} };
