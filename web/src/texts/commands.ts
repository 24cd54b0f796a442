// Sentences of the server for pages.

/** A next step without its commands, which are in parentheses for readers of reports and terminals. */
export const withoutCommands = (step: string): string =>
  step.replace(/,? (?:or|oder) coverslip [^()]*(?=\))|\s\(coverslip [^()]*\)/g, '');
