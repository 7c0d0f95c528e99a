// Numbers as people read them, with units.
blockqnn.format = (() => {
  const DASH = "–";

  const fixed = (value, digits = 2) =>
    value === null || value === undefined
      ? DASH
      : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  const count = (value) => (value === null || value === undefined ? DASH : value.toLocaleString("en"));

  // Three digits and a suffix of powers of 1000, as the command line writes them.
  const units = (value) => {
    if (value === null || value === undefined) return DASH;
    let size = value;
    for (const suffix of ["", "\u00a0k", "\u00a0M", "\u00a0G", "\u00a0T", "\u00a0P"]) {
      if (size < 999.5) return Number(size.toPrecision(3)) + suffix;
      size /= 1000;
    }
    return value.toExponential(2);
  };

  const duration = (seconds) => {
    if (seconds === null || seconds === undefined) return DASH;
    if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
    if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
    return `${(seconds / 3600).toFixed(1)} h`;
  };

  const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

  // A time in seconds since 1970, where the reader is.
  const moment = (seconds) =>
    new Date(1000 * seconds).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });

  // A number and its unit stay on one line.
  const unbroken = (text) => text.replace(/(\d) (?=[kMGTP%]( |\.|,|;|$))/g, "$1\u00a0");

  return { DASH, fixed, count, units, duration, percent, moment, unbroken };
})();
